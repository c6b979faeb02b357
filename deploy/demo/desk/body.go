package desk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"unicode/utf8"
)

// maxBody is the size of the largest request body, in bytes.
const maxBody = 16 << 10

// readBody reads all of r's body, decodes it strictly into the struct that into
// points to, and returns its bytes.
func readBody(r *http.Request, into any) ([]byte, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if tooLong, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, refuse(http.StatusRequestEntityTooLarge, "the body is longer than %d bytes", tooLong.Limit)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, refuse(StatusClientGone, "the caller went away while sending; nothing was done")
	}
	if err != nil {
		return nil, err
	}
	if err := strict(raw, into); err != nil {
		return nil, refuse(http.StatusBadRequest, "the body is not what this endpoint takes: %v", err)
	}
	return raw, nil
}

// strict decodes a flat JSON object. Beyond what encoding/json refuses when
// asked to, it refuses fields given twice (the last would win), names in
// another case (they would match), bytes that are not UTF-8 (they would be
// replaced), and anything after the object.
func strict(raw []byte, into any) error {
	if !utf8.Valid(raw) {
		return errors.New("it is not UTF-8")
	}
	if err := checkNames(raw, fieldNames(into)); err != nil {
		return err
	}
	return json.Unmarshal(raw, into) // also refuses trailing bytes
}

// checkNames checks that raw starts with an object whose fields are each one of
// names, and there at most once.
func checkNames(raw []byte, names []string) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return errors.New("it is not a JSON object")
	}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string) // a field's name is a string, or Token had failed
		i := slices.Index(names, name)
		if i < 0 {
			return fmt.Errorf("unknown or repeated field %q", name)
		}
		names = slices.Delete(names, i, i+1)
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return err
		}
	}
	return nil
}

// fieldNames are the JSON names of the fields of the struct v points to.
func fieldNames(v any) []string {
	t := reflect.TypeOf(v).Elem()
	names := make([]string, t.NumField())
	for i := range names {
		names[i] = t.Field(i).Tag.Get("json")
	}
	return names
}
