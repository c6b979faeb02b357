package evidence

import (
	"errors"
	"testing"
)

// These are the errors that nothing outside this package can reach.

func TestUnreachable(t *testing.T) {
	if _, err := plain([]byte(`"`)); !errors.Is(err, ErrJSON) {
		t.Errorf("a string that the scanner let through: %v", err)
	}
	var l Lineage
	if err := l.Add(&Record{Predicate: strange{}}); !errors.Is(err, ErrUngoverned) {
		t.Errorf("a predicate from elsewhere: %v", err)
	}
	if err := reread([]byte(`{}`), &unwritable{}); !errors.Is(err, ErrJSON) {
		t.Errorf("a value that can be read, but not written: %v", err)
	}
}

type strange struct{}

func (strange) Kind() Kind { return "strange" }
func (strange) When() Time { return 1 }

type unwritable struct{ C chan int }
