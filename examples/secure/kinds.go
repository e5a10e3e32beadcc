package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/internal/idptest"
)

// kind is a way to authenticate: the broker's configuration, the initial secret, and how both change.
type kind struct {
	accessType auth.SourceAccessType
	options    []auth.SourceAccessConfiguration // additional entries with literal values
	broker     []kfake.Opt
	prepare    func(*kfake.Cluster)
	admin      []kgo.Opt
	secret     map[string]string
	rotate     func(ctx context.Context, client *kgo.Client) (map[string]string, error)
	close      func()
}

func kindOf(name string, p *pki) (*kind, error) {
	switch name {
	case "scram":
		return scramKind(p), nil
	case "mtls":
		return mtlsKind(p)
	case "oauth":
		return oauthKind(p)
	}
	return nil, fmt.Errorf("-kind %q: use scram, mtls or oauth", name)
}

// scramKind uses a user name and a password. The password is changed at the broker first, then in the secret.
func scramKind(p *pki) *kind {
	return &kind{accessType: auth.SASLSCRAM512Auth,
		broker: []kfake.Opt{kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "alice", first), kfake.Superuser("SCRAM-SHA-512", "admin", admin),
			kfake.TLS(&tls.Config{Certificates: []tls.Certificate{p.server}})},
		admin:  []kgo.Opt{kgo.DialTLSConfig(&tls.Config{RootCAs: p.pool}), kgo.SASL(scram.Auth{User: "admin", Pass: admin}.AsSha512Mechanism())},
		secret: map[string]string{"username": "alice", "password": first},
		rotate: func(ctx context.Context, client *kgo.Client) (map[string]string, error) {
			_, err := kadm.NewClient(client).AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{{User: "alice", Mechanism: kadm.ScramSha512, Iterations: 4096, Password: second}})
			return map[string]string{"username": "alice", "password": second}, err
		}}
}

// mtlsKind uses a client certificate, which is renewed.
func mtlsKind(p *pki) (*kind, error) {
	own, _, _, err := p.client("admin")
	if err != nil {
		return nil, err
	}
	issue := func() (map[string]string, error) {
		_, certificate, key, err := p.client("alice")
		return map[string]string{"certificate": certificate, "privateKey": key}, err
	}
	secret, err := issue()
	if err != nil {
		return nil, err
	}
	return &kind{accessType: auth.ClientCertificateTLSAuth,
		broker: []kfake.Opt{kfake.TLS(&tls.Config{Certificates: []tls.Certificate{p.server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool})},
		admin:  []kgo.Opt{kgo.DialTLSConfig(&tls.Config{RootCAs: p.pool, Certificates: []tls.Certificate{own}})},
		secret: secret,
		rotate: func(context.Context, *kgo.Client) (map[string]string, error) { return issue() }}, nil
}

// oauthKind uses tokens of an in-process identity provider. The client's secret is changed.
func oauthKind(p *pki) (*kind, error) {
	var house cleanups
	provider := idptest.New(&house)
	if house.err != nil {
		return nil, house.err
	}
	provider.Client("consumer", first)
	secret := func(clientSecret string) map[string]string {
		return map[string]string{"oauthTokenEndpointUrl": provider.URL, "oauthClientId": "consumer", "oauthClientSecret": clientSecret, "oauthIdpCaCertificate": provider.CA}
	}
	return &kind{accessType: auth.OAuthBearerAuth, options: []auth.SourceAccessConfiguration{{Type: auth.OAuthBearerAudience, URI: "kafka"}},
		broker:  []kfake.Opt{kfake.TLS(&tls.Config{Certificates: []tls.Certificate{p.server}})},
		prepare: func(cluster *kfake.Cluster) { takeTokens(cluster, provider) },
		admin:   []kgo.Opt{kgo.DialTLSConfig(&tls.Config{RootCAs: p.pool})},
		secret:  secret(first),
		rotate: func(context.Context, *kgo.Client) (map[string]string, error) {
			provider.Client("consumer", second)
			return secret(second), nil
		}, close: house.run}, nil
}

// takeTokens makes the in-process broker, which does not support OAUTHBEARER, accept the provider's tokens for "kafka".
func takeTokens(cluster *kfake.Cluster, provider *idptest.Provider) {
	cluster.ControlKey(int16(kmsg.SASLHandshake), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		return request.ResponseKind(), nil, true
	})
	cluster.ControlKey(int16(kmsg.SASLAuthenticate), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		answer := request.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		_, rest, _ := bytes.Cut(request.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes, []byte("auth=Bearer "))
		token, _, _ := strings.Cut(string(rest), "\x01")
		if claims, err := provider.Claims(token); err != nil || claims["aud"] != "kafka" {
			answer.ErrorCode = kerr.SaslAuthenticationFailed.Code
		}
		return answer, nil, true
	})
}

// cleanups is the part of a test that idptest needs.
type cleanups struct {
	mu   sync.Mutex
	list []func()
	err  error
}

// Helper does nothing.
func (*cleanups) Helper() {}

// Cleanup registers f for run.
func (c *cleanups) Cleanup(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, f)
}

// Fatal records the error.
func (c *cleanups) Fatal(args ...any) { c.err = errors.New(fmt.Sprint(args...)) }

func (c *cleanups) run() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.list {
		f()
	}
}
