package activities

import (
	"io/fs"
	"syscall"
)

// stateOf returns what tells a touched file from an untouched one.
func stateOf(info fs.FileInfo) (fileState, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileState{}, false
	}
	return fileState{dev: uint64(st.Dev), ino: st.Ino, size: st.Size, mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano()}, true
}
