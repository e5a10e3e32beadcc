package run

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/internal/rdkafka"
	"github.com/esm-go/esm/observe"
)

// A long-running process warns of a certificate that is about to expire, once a day, and Status counts the days.
func TestExpiryIsWatched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, IsCA: true, BasicConstraintsValid: true,
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(31*24*time.Hour + time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := json.Marshal(map[string]string{"certificate": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))})
		if err != nil {
			t.Fatal(err)
		}
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		var log bytes.Buffer // written by one goroutine at a time, and read when all are idle
		r := newRig(t, b, defaults(), nil, WithSecrets(auth.NewStatic(map[string]string{"ca": string(secret)})), WithSecretsRefresh(time.Hour),
			WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))))
		r.runner.mapping.SourceAccessConfigurations = []auth.SourceAccessConfiguration{{Type: auth.ServerRootCACertificate, URI: "ca"}}
		r.start()
		pass(time.Hour)
		if log.Len() > 0 {
			t.Errorf("on the first day: %s", log.String())
		}
		pass(3 * 24 * time.Hour)
		if n := strings.Count(log.String(), `certificate \"CN=CA\" expires on`); n < 2 || n > 3 {
			t.Errorf("%d warnings in three days:\n%s", n, log.String())
		}
		if c := r.runner.Status().Credentials; c.DaysLeft != 28 || !c.Expires.Equal(template.NotAfter.UTC().Truncate(time.Second)) {
			t.Errorf("Status says %+v", c)
		}
		r.mustStop()
	})
}

// The reason why credentials are kept names what is wrong: the store or what it holds. A refusal of old credentials is
// not reported for their successors.
func TestWhatIsSaidOfRotations(t *testing.T) {
	for _, c := range []struct {
		kind error
		want string
	}{
		{auth.ErrSecretThrottled, "the secret cannot be read"},
		{auth.ErrSecretAccessDenied, "the secret cannot be read"},
		{auth.ErrSecretKMS, "the secret cannot be read"},
		{auth.ErrSecretInvalid, "the secret is not valid"},
		{auth.ErrKeyMismatch, "what the secret now holds cannot be used"},
	} {
		var log bytes.Buffer
		r := newRig(t, membroker.NewBroker(t), defaults(), nil, WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		r.runner.keep(&auth.SecretError{URI: "s", Kind: c.kind, Problem: "p"})
		if !strings.Contains(log.String(), "the current credentials stay in use: "+c.want) {
			t.Errorf("%v: %s", c.kind, log.String())
		}
	}
	r := newRig(t, membroker.NewBroker(t), defaults(), nil)
	r.runner.shared.Conditions.Hold(r.runner.shared.Conditions.Problem(observe.OpPoll, &rdkafka.Error{Code: 58, Text: "SASL authentication failed"}))
	if got := r.runner.Status(); got.LastProcessingResult != "PROBLEM: "+auth.TextSASL {
		t.Fatalf("the refusal is %q", got.LastProcessingResult)
	}
	r.runner.inForce(&auth.Credentials{Protocol: auth.ProtocolSSL}, true)
	if got := r.runner.Status(); got.LastProcessingResult != condition.ResultNone || got.Diagnosis.Known() || len(got.Conditions) > 0 {
		t.Errorf("after the rotation %q, %v", got.LastProcessingResult, got.Conditions)
	}
	r.runner.shared.Conditions.Hold(r.runner.shared.Conditions.Problem(observe.OpLag, errors.New("of its own")))
	if r.runner.inForce(nil, true); len(r.runner.Status().Conditions) != 1 {
		t.Error("what the credentials have no part in is forgotten")
	}
}
