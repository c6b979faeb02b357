package evidence

import (
	"errors"
	"fmt"
	"time"
)

// timeLayout is RFC 3339 in UTC with exactly three decimals of a second.
const timeLayout = "2006-01-02T15:04:05.000Z"

// ErrTime means that a text is not a time as this package writes it.
var ErrTime = errors.New("not a UTC time such as 2026-01-31T09:30:00.000Z")

// A Time is an instant in milliseconds since 1970-01-01T00:00:00 UTC. In JSON
// it is RFC 3339 in UTC with three decimals. The zero Time stands for "none".
type Time int64

// TimeOf returns t rounded down to the millisecond.
func TimeOf(t time.Time) Time { return Time(t.UnixMilli()) }

// Time returns t as a [time.Time] in UTC.
func (t Time) Time() time.Time { return time.UnixMilli(int64(t)).UTC() }

// Add returns t moved by the whole milliseconds of d.
func (t Time) Add(d time.Duration) Time { return t + Time(d.Milliseconds()) }

// Sub returns the duration from u to t.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t-u) * time.Millisecond }

// String returns t as it stands in JSON, or "-" for none.
func (t Time) String() string {
	if t == 0 {
		return "-"
	}
	return t.Time().Format(timeLayout)
}

// MarshalText returns t as RFC 3339, or nothing for none.
func (t Time) MarshalText() ([]byte, error) {
	if t == 0 {
		return []byte{}, nil
	}
	text := t.String()
	if _, err := time.Parse(timeLayout, text); err != nil {
		return nil, fmt.Errorf("%w: %d ms since 1970", ErrTime, int64(t))
	}
	return []byte(text), nil
}

// UnmarshalText reads what MarshalText writes and nothing else, or [ErrTime].
func (t *Time) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*t = 0
		return nil
	}
	parsed, err := time.Parse(timeLayout, string(text))
	if err != nil || TimeOf(parsed).String() != string(text) {
		return fmt.Errorf("%w: %.40q", ErrTime, text)
	}
	*t = TimeOf(parsed)
	return nil
}
