package auth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// handshake connects a client with credentials to a TLS server on loopback and returns the client's error, from the
// handshake or from its first read.
func handshake(t *testing.T, server *tls.Config, credentials *Credentials, change func(*tls.Config)) error {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		raw, err := listener.Accept()
		if err != nil {
			return
		}
		conn := tls.Server(raw, server)
		if conn.Handshake() == nil {
			_, _ = conn.Write([]byte{1}) // the client's first read
			_, _ = conn.Read(make([]byte, 1))
		}
		_ = raw.Close()
	})
	defer wait.Wait()
	defer func() { _ = listener.Close() }()
	config, err := credentials.TLSConfig()
	if err != nil {
		t.Fatal(err)
	}
	config.ServerName = "127.0.0.1"
	if change != nil {
		change(config)
	}
	raw, err := net.DialTimeout("tcp", listener.Addr().String(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	_ = raw.SetDeadline(time.Now().Add(10 * time.Second))
	client := tls.Client(raw, config)
	if err := client.Handshake(); err != nil {
		return fmt.Errorf("unable to dial: %w", err)
	}
	_, err = client.Read(make([]byte, 1))
	return err
}

func pair(c *testCA) tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{c.cert.Raw}, PrivateKey: c.key}
}

func mtlsCredentials(c *testCA, root *testCA) *Credentials {
	return &Credentials{Protocol: ProtocolSSL, RootCAs: []byte(root.pem()), Certificate: []byte(c.pem()), PrivateKey: NewSecret(c.keyPEM())}
}

// Real refusals of crypto/tls, with both versions of TLS.
func TestHandshakes(t *testing.T) {
	ca, other := issue(nil, "the-ca", asCA), issue(nil, "other-ca", asCA)
	broker := issue(ca, "broker", asServer)
	misnamed := issue(ca, "misnamed", func(c *x509.Certificate) { c.DNSNames = []string{"kafka.example"} })
	expired := issue(ca, "expired", func(c *x509.Certificate) { asServer(c); c.NotAfter = time.Now().Add(-time.Minute) })
	clientOnly := issue(ca, "client-only", func(c *x509.Certificate) { asServer(c); asClient(c) })
	alice, mallory := issue(ca, "alice", asClient), issue(other, "mallory", asClient)
	oldClient := issue(ca, "old", func(c *x509.Certificate) { asClient(c); c.NotAfter = time.Now().Add(-time.Minute) })
	wrongUse := issue(ca, "wrong-use", asServer)
	trusting := &Credentials{Protocol: ProtocolSSL, RootCAs: []byte(ca.pem())}
	for _, c := range []struct {
		name        string
		server      *testCA
		mutual      bool
		credentials *Credentials
		cause       Cause
		text        string
		detail      string
	}{
		{"works", broker, false, trusting, CauseUnknown, "", ""},
		{"works with a certificate", broker, true, mtlsCredentials(alice, ca), CauseUnknown, "", ""},
		{"other CA", broker, false, &Credentials{Protocol: ProtocolSSL, RootCAs: []byte(other.pem())}, CauseServerCA, TextLambdaAuthenticate, `signed by "CN=the-ca"`},
		{"system CAs", broker, false, &Credentials{Protocol: ProtocolSSL}, CauseServerCA, TextLambdaAuthenticate, "not trusted"},
		{"wrong name", misnamed, false, trusting, CauseServerName, TextLambdaAuthenticate, "127.0.0.1\" (it has kafka.example)"},
		{"expired server", expired, false, trusting, CauseServerExpired, TextLambdaAuthenticate, `certificate "CN=expired" is valid from`},
		{"not for servers", clientOnly, false, trusting, CauseServerInvalid, TextLambdaAuthenticate, "usage"},
		{"no certificate", broker, true, trusting, CauseClientCertificateMissing, TextServerAuthenticate, "asks for"},
		{"untrusted certificate", broker, true, mtlsCredentials(mallory, ca), CauseClientCertificateRejected, TextServerAuthenticate, "trust"},
		{"expired certificate", broker, true, mtlsCredentials(oldClient, ca), CauseClientCertificateExpired, TextServerAuthenticate, "expired"},
		{"not for clients", broker, true, mtlsCredentials(wrongUse, ca), CauseClientCertificateRejected, TextServerAuthenticate, ""},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(c.name+"/"+tls.VersionName(version), func(t *testing.T) {
				server := &tls.Config{Certificates: []tls.Certificate{pair(c.server)}, MinVersion: version, MaxVersion: version}
				if c.mutual {
					server.ClientAuth, server.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
					server.ClientCAs.AddCert(ca.cert)
				}
				err := handshake(t, server, c.credentials, nil)
				if (err == nil) != (c.cause == CauseUnknown) {
					t.Fatal(err)
				}
				d := facts{Credentials: c.credentials}.classify(err)
				if d.Cause != c.cause || d.Text != c.text || !strings.Contains(d.Detail, c.detail) {
					t.Fatalf("%v is classified %q, %q, %q", err, d.Cause, d.Text, d.Detail)
				}
				if err != nil && (d.Code != CodeAuthnError || !errors.Is(d, err) || d.Hint == "") {
					t.Errorf("%+v", d)
				}
			})
		}
	}
}

// There is no common version of TLS, or the listener does not speak TLS.
func TestHandshakesWithoutTLS(t *testing.T) {
	broker := issue(nil, "broker", asServer)
	credentials := &Credentials{Protocol: ProtocolSSL, RootCAs: []byte(broker.pem())}
	server := &tls.Config{Certificates: []tls.Certificate{pair(broker)}, MaxVersion: tls.VersionTLS12}
	err := handshake(t, server, credentials, func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 })
	if d := Classify(err); d.Cause != CauseTLSVersion {
		t.Errorf("%v is classified %+v", err, d)
	}
	near, far := net.Pipe()
	var wait sync.WaitGroup
	wait.Go(func() {
		_, _ = far.Read(make([]byte, 4096))
		_, _ = far.Write([]byte("\x00\x00\x00\x10plaintext answer"))
		_ = far.Close()
	})
	config, err := credentials.TLSConfig()
	if err != nil {
		t.Fatal(err)
	}
	config.ServerName = "broker"
	err = tls.Client(near, config).Handshake()
	_ = near.Close()
	wait.Wait()
	if d := Classify(err); d.Cause != CausePlaintextListener || d.Text != TextConnection || d.Code != "" {
		t.Errorf("%v is classified %+v", err, d)
	}
}
