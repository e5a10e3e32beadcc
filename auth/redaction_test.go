package auth

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
)

const hidden = "correct-horse-battery"

// forms returns every text form that Go makes of a value.
func forms(v any) map[string]string {
	out := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%o", "%p", "%T", "%08.3f", "%!"} {
		out[verb] = fmt.Sprintf(verb, v)
	}
	if data, err := json.Marshal(v); err == nil {
		out["json"] = string(data)
	}
	if data, err := xml.Marshal(v); err == nil {
		out["xml"] = string(data)
	}
	var b bytes.Buffer
	if gob.NewEncoder(&b).Encode(v) == nil {
		out["gob"] = b.String()
	}
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"slog text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"slog json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var b bytes.Buffer
		slog.New(handler(&b)).Info("x", "value", v, slog.Group("g", "value", v), "list", []any{v})
		out[name] = b.String()
	}
	out["reflect"] = walk(reflect.ValueOf(v), 0)
	return out
}

// walk prints what a reflecting printer can reach, including unexported fields.
func walk(v reflect.Value, depth int) string {
	if depth > 12 || !v.IsValid() {
		return ""
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return walk(v.Elem(), depth+1)
	case reflect.Struct:
		var b strings.Builder
		for _, field := range v.Fields() {
			b.WriteString(walk(field, depth+1) + " ")
		}
		return b.String()
	case reflect.Map:
		var b strings.Builder
		for _, key := range v.MapKeys() {
			b.WriteString(walk(key, depth+1) + walk(v.MapIndex(key), depth+1) + " ")
		}
		return b.String()
	case reflect.Slice, reflect.Array:
		var b strings.Builder
		for i := range v.Len() {
			b.WriteString(walk(v.Index(i), depth+1))
		}
		return b.String()
	case reflect.String:
		return v.String()
	case reflect.Uint8:
		return string(rune(v.Uint()))
	}
	return ""
}

// No form of any type that carries a secret reveals it: alone, behind a pointer, in a collection, or in an unexported
// field of another struct.
func TestNothingPrints(t *testing.T) {
	secret := NewSecret(hidden)
	client := issue(nil, "alice", asClient)
	resolved, _, err := resolveOne(ClientCertificateTLSAuth, secretJSON(map[string]any{"certificate": client.pem(), "privateKey": client.keyPEM()}))
	if err != nil {
		t.Fatal(err)
	}
	login := Credentials{Protocol: ProtocolSASLSSL, Mechanism: MechanismPlain, Username: "alice", Password: secret, PrivateKey: secret, Version: "1"}
	static := NewStatic(map[string]string{"s": `{"password":"` + hidden + `"}`})
	_, _, failure := Resolve(context.Background(), static, []SourceAccessConfiguration{{BasicAuth, "s"}})
	type private struct {
		s Secret
		c Credentials
		p *Secret
		m map[string]Secret
	}
	type public struct {
		S Secret
		C *Credentials
		L []Secret
		M map[string]Secret
	}
	values := []any{secret, &secret, []Secret{secret}, map[string]Secret{"k": secret}, [1]Secret{secret},
		private{secret, login, &secret, map[string]Secret{"k": secret}}, &private{s: secret, c: login},
		public{secret, &login, []Secret{secret}, map[string]Secret{"k": secret}},
		login, &login, []Credentials{login}, resolved, *resolved, static, Prefixes{"": static}, failure,
		Classify(failure), facts{Credentials: &login}, facts{Credentials: &login}.classify(failure)}
	key := strings.Split(client.keyPEM(), "\n")[1]
	hex := fmt.Sprintf("%x", hidden)
	for _, v := range values {
		for form, text := range forms(v) {
			for _, bad := range []string{hidden, key, hex, strings.ToUpper(hex), "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5", "99 111 114 114"} {
				if strings.Contains(text, bad) {
					t.Errorf("%T as %s tells the secret: %s", v, form, text)
				}
			}
		}
	}
	if text := fmt.Sprint(secret, login); !strings.Contains(text, redacted) || !strings.Contains(text, "alice") {
		t.Errorf("prints %s", text)
	}
}

func TestSecret(t *testing.T) {
	s := NewSecret(hidden)
	if s.Reveal() != hidden || s.IsZero() || !s.Equal(NewSecret(hidden)) || s.Equal(NewSecret("x")) || s.Equal(Secret{}) {
		t.Error("a Secret does not hold its value")
	}
	zero := NewSecret("")
	if zero.Reveal() != "" || !zero.IsZero() || zero.String() != "" || !zero.Equal(Secret{}) {
		t.Error("the empty Secret is not the zero one")
	}
}
