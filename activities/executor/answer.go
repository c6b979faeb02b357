package executor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/interlock-run/interlock/evidence"
)

// MaxAnswer is the size of the largest body of an answer, in bytes.
const MaxAnswer = 1 << 20

// read returns the JSON of a successful answer. Its errors do not quote the
// answer, which may echo a secret.
func (x *exchange) read(answer *http.Response) (json.RawMessage, error) {
	body, err := io.ReadAll(io.LimitReader(answer.Body, MaxAnswer+1))
	switch {
	case err != nil:
		return nil, x.broken(err)
	case len(body) > MaxAnswer:
		return nil, x.unusable(CauseTooLarge, fmt.Sprintf("the answer is longer than %d bytes", MaxAnswer))
	case len(body) == 0:
		return json.RawMessage("null"), nil
	case !saysJSON(answer.Header.Get("Content-Type")):
		return nil, x.unusable(CauseNotJSON, "the answer has another content type than JSON")
	case evidence.CheckJSON(body) != nil:
		return nil, x.unusable(CauseNotJSON, "the answer is not JSON in the form that evidence allows")
	}
	var result bytes.Buffer
	if err := json.Compact(&result, body); err != nil {
		return nil, x.unusable(CauseNotJSON, "the answer is not JSON")
	}
	return result.Bytes(), nil
}

// saysJSON reports whether a content type is application/json, or one of
// those that end in +json.
func saysJSON(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
}
