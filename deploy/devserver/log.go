package devserver

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// tailSize is how much of a log an error quotes, in bytes: a screenful.
const tailSize = 4096

// A logTail reads what was added to a log file since it was made, so that an
// earlier server's words are not taken for this one's.
type logTail struct {
	path string
	from int64
}

func tailOf(f *os.File) (logTail, error) {
	info, err := f.Stat()
	if err != nil {
		return logTail{}, fmt.Errorf("couldn't read the server's log: %w", err)
	}
	return logTail{path: f.Name(), from: info.Size()}, nil
}

// read returns all that was added. A log that cannot be read is an empty one:
// it is never the only sign of trouble.
func (l logTail) read() []byte {
	b, err := os.ReadFile(l.path)
	if err != nil || int64(len(b)) < l.from {
		return nil
	}
	return b[l.from:]
}

// String returns the end of what was added, as it reads in an error.
func (l logTail) String() string {
	return quoteTail(l.read())
}

// quoteTail returns the last lines of output, indented, or says that there are
// none.
func quoteTail(output []byte) string {
	output = bytes.TrimSpace(output)
	if len(output) == 0 {
		return "it printed nothing"
	}
	if len(output) > tailSize {
		output = output[len(output)-tailSize:]
		if _, whole, found := bytes.Cut(output, []byte("\n")); found {
			output = whole
		}
	}
	return "the end of its output:\n\t" + strings.ReplaceAll(string(output), "\n", "\n\t")
}
