package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"sync"
	"testing"
	"time"
)

// tlsServer accepts until the test ends and says nothing, as a broker does.
func tlsServer(t *testing.T, config *tls.Config) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			raw, err := listener.Accept()
			if err != nil {
				return
			}
			wait.Go(func() {
				conn := tls.Server(raw, config)
				_, _ = conn.Read(make([]byte, 1)) // until the client goes
				_ = raw.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		wait.Wait()
	})
	return listener.Addr().String()
}

func TestProbeTLS(t *testing.T) {
	ca, other := issue(nil, "ca", asCA), issue(nil, "other", asCA)
	broker, client := issue(ca, "broker", asServer), issue(ca, "alice", asClient)
	misnamed := issue(ca, "misnamed", nil)
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	trusting := &Credentials{Protocol: ProtocolSSL, RootCAs: []byte(ca.pem())}
	open := tlsServer(t, &tls.Config{Certificates: []tls.Certificate{pair(broker)}})
	mutual := tlsServer(t, &tls.Config{Certificates: []tls.Certificate{pair(broker)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool})
	wrong := tlsServer(t, &tls.Config{Certificates: []tls.Certificate{pair(misnamed)}})
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = dead.Close()
	for name, c := range map[string]struct {
		address     string
		credentials *Credentials
		cause       Cause
		fails       bool
	}{
		"works":         {open, trusting, "", false},
		"mutual works":  {mutual, mtlsCredentials(client, ca), "", false},
		"plaintext":     {open, nil, "", false},
		"CA":            {open, &Credentials{Protocol: ProtocolSSL, RootCAs: []byte(other.pem())}, CauseServerCA, true},
		"name":          {wrong, trusting, CauseServerName, true},
		"none":          {mutual, trusting, CauseClientCertificateMissing, true},
		"refused":       {dead.Addr().String(), trusting, CauseRefused, true},
		"no port":       {"localhost", trusting, "", true},
		"bad protocol":  {open, &Credentials{Protocol: "SASL_PLAINTEXT"}, CauseConfiguration, true},
		"other client":  {mutual, mtlsCredentials(issue(other, "mallory", asClient), ca), CauseClientCertificateRejected, true},
		"SASL over TLS": {open, &Credentials{Protocol: ProtocolSASLSSL, Mechanism: MechanismPlain, Username: "a", Password: NewSecret("b"), RootCAs: []byte(ca.pem())}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // what works takes the whole of probeLinger
			err := ProbeTLS(t.Context(), c.address, c.credentials, nil)
			if d := (Facts{Credentials: c.credentials}).Classify(err); (err != nil) != c.fails || d.Cause != c.cause {
				t.Errorf("%v is classified %q", err, d.Cause)
			}
		})
	}
	t.Run("deadline", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := ProbeTLS(ctx, open, trusting, nil); err != nil && !errors.Is(err, context.DeadlineExceeded) && Classify(err).Cause != CauseTimeout {
			t.Error(err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		err := ProbeTLS(ctx, open, trusting, func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			cancel()
			return conn, err
		})
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
