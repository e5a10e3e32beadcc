package leaktest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"testing"
)

// The search finds every mark in every place.
func TestWatchFindsSecrets(t *testing.T) {
	for _, mark := range marks {
		text := "a" + mark + "b"
		for name, say := range map[string]func(*Watch){
			"attribute": func(w *Watch) { w.Logger().Info("x", "password", text) },
			"message":   func(w *Watch) { w.Logger().Log(t.Context(), slog.LevelDebug-4, text) },
			"error":     func(w *Watch) { w.Say(errors.New(text)) },
			"field":     func(w *Watch) { w.Say(struct{ a []string }{[]string{text}}) },
			"hex":       func(w *Watch) { w.Say([]byte(text)) },
			"JSON":      func(w *Watch) { w.Say(&struct{ A any }{text}) },
			"decimal":   func(w *Watch) { w.Logger().Info(fmt.Sprintf("%+v", struct{ a []byte }{[]byte(text)})) },
			"base64":    func(w *Watch) { w.Logger().Info("x", "value", struct{ A []byte }{[]byte(text)}) },
			"base64, 1": func(w *Watch) { w.Logger().Info("x", "value", struct{ A []byte }{[]byte("ab" + text)}) },
			"base64, 2": func(w *Watch) { w.Logger().Info("x", "value", struct{ A []byte }{[]byte("abc" + text)}) },
			"capitals":  func(w *Watch) { w.Logger().Info(fmt.Sprintf("%X", text)) },
		} {
			w := &Watch{leaks: map[string]string{}}
			say(w)
			if w.leaks[mark] == "" {
				t.Errorf("%s: %q was not found", name, mark)
			}
		}
		w := &Watch{leaks: map[string]string{}}
		w.Say(struct{ Password string }{"REDACTED"})
		if len(w.leaks) > 0 {
			t.Errorf("finds %v where there is nothing", w.leaks)
		}
	}
}

// The content of each kind of private key is found without the lines around it.
func TestWatchFindsKeys(t *testing.T) {
	for name, generate := range map[string]func() (crypto.PrivateKey, error){
		"ECDSA":   func() (crypto.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
		"RSA":     func() (crypto.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) },
		"Ed25519": func() (crypto.PrivateKey, error) { _, key, err := ed25519.GenerateKey(rand.Reader); return key, err },
	} {
		key, err := generate()
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		w := &Watch{leaks: map[string]string{}}
		w.Say(base64.StdEncoding.EncodeToString(der))
		if len(w.leaks) != 1 {
			t.Errorf("%s: found %d marks, want 1", name, len(w.leaks))
		}
	}
}

// No hook is left out, including future ones.
func TestWatchHasEveryHook(t *testing.T) {
	hooks := reflect.ValueOf(New(sayer{t}).hooks())
	for i := range hooks.NumField() {
		if hooks.Field(i).IsNil() {
			t.Errorf("Hooks.%s is not looked at", hooks.Type().Field(i).Name)
		}
	}
}

// sayer is a test whose cleanup functions do not run.
type sayer struct{ *testing.T }

func (sayer) Cleanup(func()) {}
