package event

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/esm-go/esm/internal/jsonlen"
)

func TestSizeIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		event := genEvent(true).Draw(t, "event")
		encoded := event.AppendJSON(nil)
		if got := event.Size(); got != len(encoded) {
			t.Fatalf("Size of the event = %d, want %d: %s", got, len(encoded), encoded)
		}
		for _, records := range event.Records {
			for i := range records {
				encoded := records[i].AppendJSON(nil)
				if got := records[i].Size(); got != len(encoded) {
					t.Fatalf("Size of the record = %d, want %d: %s", got, len(encoded), encoded)
				}
			}
		}
	})
}

// withoutNullHeaders replaces null header values with empty ones, because the JSON does not distinguish them. It
// modifies the event.
func withoutNullHeaders(e KafkaEvent) KafkaEvent {
	for _, records := range e.Records {
		for i := range records {
			for k := range records[i].Headers {
				if h := &records[i].Headers[k]; h.Value == nil {
					h.Value = []byte{}
				}
			}
		}
	}
	return e
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		event := genEvent(false).Draw(t, "event")
		encoded := event.AppendJSON(nil)
		var decoded KafkaEvent
		if err := decoded.UnmarshalJSON(encoded); err != nil {
			t.Fatalf("%v: %s", err, encoded)
		}
		if want := withoutNullHeaders(event); !reflect.DeepEqual(decoded, want) {
			t.Fatalf("decoded %+v\nwant %+v", decoded, want)
		}
	})
}

// encoding/json accepts what we write and reads the same text from it.
func TestEncodingJSONReadsOurs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		event := genEvent(true).Draw(t, "event")
		var got struct {
			EventSource string
			Records     map[string][]struct {
				Topic      string
				Key, Value []byte
			}
		}
		if err := json.Unmarshal(event.AppendJSON(nil), &got); err != nil {
			t.Fatal(err)
		}
		if want := validUTF8(event.EventSource); got.EventSource != want {
			t.Fatalf("EventSource = %q, want %q", got.EventSource, want)
		}
		for key, records := range event.Records {
			for i, r := range records {
				g := got.Records[validUTF8(key)][i]
				if g.Topic != validUTF8(r.Topic) || !bytes.Equal(g.Key, r.Key) || !bytes.Equal(g.Value, r.Value) {
					t.Fatalf("record %s[%d] = %+v, want %+v", key, i, g, r)
				}
			}
		}
	})
}

// validUTF8 replaces each wrong byte with U+FFFD, as a range over the runes does.
func validUTF8(s string) string { return string([]rune(s)) }

func TestBase64(t *testing.T) {
	src := make([]byte, 300)
	for i := range src {
		src[i] = byte(i*151 + i>>2)
	}
	for n := range len(src) + 1 {
		want := "x" + base64.StdEncoding.EncodeToString(src[:n])
		if got := string(appendBase64(append(make([]byte, 0, len(want)), 'x'), src[:n])); got != want {
			t.Fatalf("%d bytes: got %s, want %s", n, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		src := rapid.SliceOf(rapid.Byte()).Draw(t, "src")
		want := base64.StdEncoding.EncodeToString(src)
		if got := string(appendBase64(make([]byte, 0, len(want)), src)); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
}

func TestIntLen(t *testing.T) {
	check := func(n int64) {
		if got, want := jsonlen.Int(n), len(strconv.FormatInt(n, 10)); got != want {
			t.Errorf("Int(%d) = %d, want %d", n, got, want)
		}
	}
	check(math.MinInt64)
	check(math.MaxInt64)
	for n, i := int64(1), 0; i < 19; n, i = n*10, i+1 {
		for _, m := range []int64{n - 1, n, n + 1} {
			check(m)
			check(-m)
		}
	}
	for i := range 63 {
		check(int64(1) << i)
		check(int64(1)<<i - 1)
	}
}

func TestSignedBytes(t *testing.T) {
	for i := range 256 {
		want := "[" + strconv.Itoa(int(int8(i))) + "]"
		if got := string(appendSignedBytes(nil, []byte{byte(i)})); got != want {
			t.Errorf("byte %d = %s, want %s", i, got, want)
		}
		if got := signedBytesLen([]byte{byte(i)}); got != len(want) {
			t.Errorf("length of byte %d = %d, want %d", i, got, len(want))
		}
	}
}

// plain must find a byte that needs escaping at any position.
func TestPlain(t *testing.T) {
	for c := range 256 {
		want := c >= ' ' && c != '"' && c != '\\' && c < 0x80
		for n := 1; n <= 20; n++ {
			for i := range n {
				s := []byte(strings.Repeat("a", n))
				s[i] = byte(c)
				if got := plain(string(s)); got != want {
					t.Fatalf("plain(%q) = %t", s, got)
				}
			}
		}
	}
}
