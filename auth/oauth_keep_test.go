package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// While the provider is unavailable, an old token is returned until it expires and the provider is rarely asked. A new
// token comes in time.
func TestTokensOutlastTheProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		var away atomic.Bool
		source := NewTokens("test", NewSecret("id"), func(context.Context) (*Token, error) {
			asked++
			if away.Load() {
				return nil, &TokenError{Endpoint: "https://idp", Status: 503}
			}
			return &Token{Value: NewSecret(fmt.Sprint("token ", asked)), Expires: time.Now().Add(time.Minute)}, nil
		})
		get := func() string {
			token, err := source.Token(t.Context())
			if err != nil {
				return err.Error()
			}
			if !token.Expires.After(time.Now()) {
				t.Errorf("%s has ended", token.Value.Reveal())
			}
			return token.Value.Reveal()
		}
		for range 100 {
			if got := get(); got != "token 1" {
				t.Fatal(got)
			}
		}
		time.Sleep(55 * time.Second)
		away.Store(true)
		if got := get(); got != "token 1" || asked != 2 {
			t.Errorf("%s after %d requests", got, asked)
		}
		time.Sleep(6 * time.Second)
		for range 600 {
			if got := get(); !strings.Contains(got, "HTTP 503") {
				t.Fatal(got)
			}
			time.Sleep(200 * time.Millisecond)
		}
		if asked > 12 {
			t.Errorf("asked %d times in two minutes", asked)
		}
		away.Store(false)
		time.Sleep(mostTokenRetry)
		if got := get(); !strings.HasPrefix(got, "token ") {
			t.Error(got)
		}
		// Await waits for an unavailable provider, but returns a refusal at once.
		time.Sleep(2 * time.Minute)
		away.Store(true)
		begun := time.Now()
		time.AfterFunc(20*time.Second, func() { away.Store(false) })
		if _, err := source.Await(t.Context()); err != nil || time.Since(begun) < 20*time.Second || time.Since(begun) > time.Minute {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		refusing := NewTokens("", Secret{}, func(context.Context) (*Token, error) {
			return nil, &TokenError{Endpoint: "https://idp", Status: 401, Code: "invalid_client"}
		})
		begun = time.Now()
		if _, err := refusing.Await(t.Context()); err == nil || time.Since(begun) > 0 {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		hanging := NewTokens("", Secret{}, func(ctx context.Context) (*Token, error) { <-ctx.Done(); return nil, ctx.Err() })
		if _, err := hanging.Token(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// Behind returns why there is no newer token, from shortly before the last one expires, even while the provider does
// not answer, and never before.
func TestBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away, hangs atomic.Bool
		source := NewTokens("test", NewSecret("id"), func(ctx context.Context) (*Token, error) {
			switch {
			case hangs.Load():
				<-ctx.Done()
				return nil, &TokenError{Endpoint: "https://idp", Err: ctx.Err()}
			case away.Load():
				return nil, &TokenError{Endpoint: "https://idp", Status: 503}
			}
			return &Token{Value: NewSecret("token"), Expires: time.Now().Add(time.Minute)}, nil
		})
		behind := func(when, want string) {
			t.Helper()
			synctest.Wait()
			err := source.Behind()
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", when, err, want)
			}
			if _, ok := errors.AsType[*TokenError](err); err != nil && (!ok || Classify(err).Cause != CauseTokenEndpoint) {
				t.Errorf("%s: %v is %q", when, err, Classify(err).Cause)
			}
		}
		behind("before the first", "")
		ctx, cancel := context.WithCancel(t.Context())
		done := words()
		go func() {
			defer close(done)
			KeepTokens(ctx, func() *Tokens { return source }, nil, func(*Token, error) {})
		}()
		behind("with a token", "")
		away.Store(true)
		time.Sleep(55 * time.Second) // a new one was requested, and refused
		behind("while the old one is good", "")
		time.Sleep(3 * time.Second)
		behind("near its end", "HTTP 503")
		time.Sleep(time.Minute)
		behind("after its end", "HTTP 503")
		away.Store(false)
		time.Sleep(mostTokenRetry)
		behind("with a new one", "")
		hangs.Store(true)
		time.Sleep(time.Minute)
		if err := source.Behind(); err == nil {
			t.Error("nothing of a provider that hangs")
		}
		cancel()
		<-done
	})
}

// KeepTokens reports each new token in time and another source at once, and ends with its context.
func TestKeepTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := func(name string) *Tokens {
			n := 0
			return NewTokens(name, NewSecret(name), func(context.Context) (*Token, error) {
				n++
				return &Token{Value: NewSecret(fmt.Sprint(name, n)), Expires: time.Now().Add(time.Minute)}, nil
			})
		}
		current := source("a")
		changed := words()
		var told []string
		ctx, cancel := context.WithCancel(t.Context())
		done := words()
		go func() {
			defer close(done)
			KeepTokens(ctx, func() *Tokens { return current }, changed, func(token *Token, err error) { told = append(told, token.Value.Reveal()) })
		}()
		time.Sleep(110 * time.Second)
		synctest.Wait()
		if fmt.Sprint(told) != "[a1 a2 a3]" {
			t.Errorf("in 110 s of tokens of a minute: %v", told)
		}
		current = source("b")
		changed <- struct{}{}
		synctest.Wait()
		if told[len(told)-1] != "b1" {
			t.Errorf("after the change: %v", told)
		}
		cancel()
		<-done
	})
}

func words() chan struct{} { return make(chan struct{}, 1) }
