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

func TestFirstDifference(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 0}, {"ab", "ac", 1}, {"ab", "abc", 2}, {"xb", "yb", 0}} {
		if got := firstDifference([]byte(tt.a), []byte(tt.b)); got != tt.want {
			t.Errorf("%q and %q differ at %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

type strange struct{}

func (strange) Kind() Kind { return "strange" }
func (strange) When() Time { return 1 }

type unwritable struct{ C chan int }
