package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/esm-go/esm"
)

// FormatVersion is the version of the documents that Encode writes. Decode rejects later versions.
const FormatVersion = 1

// Encode returns a definition as a human-readable JSON document: the parameters of CreateEventSourceMapping with UUID,
// LastModified and FormatVersion, indented, with a newline at the end.
func Encode(d Definition) ([]byte, error) {
	mapping, err := json.Marshal(d.Mapping)
	if err != nil {
		return nil, err
	}
	var flat, out bytes.Buffer
	fmt.Fprintf(&flat, `{"FormatVersion":%d`, FormatVersion)
	if !d.LastModified.IsZero() {
		fmt.Fprintf(&flat, `,"LastModified":%q`, d.LastModified.UTC().Format(time.RFC3339Nano))
	}
	if rest := bytes.TrimPrefix(mapping, []byte("{")); len(rest) > 1 {
		flat.WriteByte(',')
		flat.Write(rest)
	} else {
		flat.WriteByte('}')
	}
	if err := json.Indent(&out, flat.Bytes(), "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// Decode reads a document that Encode or a person wrote. A document without FormatVersion is of version 1, one without
// LastModified has the zero time, and one without UUID gets the UUID that esm derives from FunctionName and Topics. The
// mapping is not validated. An error says where in the document the problem is, and wraps ErrNewerVersion if the
// document is of a later version.
func Decode(data []byte) (Definition, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return Definition{}, Position(data, err)
	}
	version := 1
	if raw, ok := members["FormatVersion"]; ok {
		if err := json.Unmarshal(raw, &version); err != nil || version < 1 {
			return Definition{}, fmt.Errorf("FormatVersion = %s: want a whole number from 1 to %d", raw, FormatVersion)
		}
	}
	if version > FormatVersion {
		return Definition{}, fmt.Errorf("%w of esm: FormatVersion is %d, this version reads up to %d; it is left as it is", ErrNewerVersion, version, FormatVersion)
	}
	delete(members, "FormatVersion")
	document, err := json.Marshal(members)
	if err != nil {
		return Definition{}, err
	}
	mapping, err := esm.ParseMapping(document)
	if err != nil {
		return Definition{}, err
	}
	d := Definition{Mapping: mapping}
	if d.Mapping.UUID == "" {
		d.Mapping.UUID = mapping.WithDefaults().UUID
	}
	if !validUUID(d.Mapping.UUID) {
		return Definition{}, fmt.Errorf("UUID = %q: want a UUID, or none together with a FunctionName from which it is derived", d.Mapping.UUID)
	}
	d.Mapping.UUID = strings.ToLower(d.Mapping.UUID)
	if d.LastModified, err = lastModified(members["LastModified"]); err != nil {
		return Definition{}, err
	}
	return d, nil
}

// lastModified parses a time in RFC 3339, or in seconds since the Unix epoch as in AWS's answers.
func lastModified(raw json.RawMessage) (time.Time, error) {
	if raw == nil || string(raw) == "null" {
		return time.Time{}, nil
	}
	var text string
	var seconds float64
	if json.Unmarshal(raw, &text) == nil {
		if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
			return t.UTC(), nil
		}
	} else if json.Unmarshal(raw, &seconds) == nil {
		return time.UnixMilli(int64(seconds * 1000)).UTC(), nil
	}
	return time.Time{}, fmt.Errorf("LastModified = %s: want a time such as 2026-01-02T15:04:05Z, or seconds since the Unix epoch", raw)
}

// validUUID reports whether s has the form of a UUID. A file name of that form cannot point outside its directory.
func validUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c < '0' || c > '9' && c < 'A' || c > 'F' && c < 'a' || c > 'f':
			return false
		}
	}
	return true
}

// Position prefixes an error of encoding/json with line and column.
func Position(data []byte, err error) error {
	offset := int64(-1)
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = e.Offset
	} else if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		offset = e.Offset
	}
	if offset < 0 || offset > int64(len(data)) {
		return err
	}
	before := data[:offset]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n') - 1
	return fmt.Errorf("line %d, column %d: %w", line, column, err)
}
