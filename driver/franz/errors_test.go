package franz

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/kafkatest"
)

func TestKindOf(t *testing.T) {
	for _, test := range []struct {
		err  error
		kind driver.Kind
	}{
		{kerr.GroupAuthorizationFailed, driver.KindAuthorization},
		{fmt.Errorf("join: %w", kerr.InconsistentGroupProtocol), driver.KindGroupProtocol},
		{&kgo.ErrGroupSession{Err: kerr.UnknownMemberID}, driver.KindStaleMember},
		{kerr.SaslAuthenticationFailed, driver.KindAuthentication},
		{kerr.InvalidRecord, driver.KindOther},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, driver.KindUnavailable},
		{&net.DNSError{Err: "no such host", IsNotFound: true}, driver.KindUnavailable},
		{io.ErrUnexpectedEOF, driver.KindUnavailable},
		{context.DeadlineExceeded, driver.KindUnavailable},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, driver.KindAuthentication},
		{tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, driver.KindAuthentication},
		{&net.OpError{Op: "remote error", Err: tls.AlertError(42)}, driver.KindAuthentication},
		{errors.New("unable to initialize sasl: wrong nonce"), driver.KindAuthentication},
		{errors.New("something"), driver.KindOther},
	} {
		if got := kindOf(test.err); got != test.kind {
			t.Errorf("%v: %v, want %v", test.err, got, test.kind)
		}
	}
}

// If a broker requires what the client does not provide, or the reverse, that is reported once, as an authentication
// error.
func TestAuthenticationErrors(t *testing.T) {
	pki := kafkatest.NewPKI(t)
	certificate, key := pki.Issue(t, "localhost")
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	secured := func(t *testing.T) *kfake.Cluster {
		return cluster(t, kfake.SeedTopics(1, "t"), kfake.EnableSASL(), kfake.Superuser("PLAIN", "alice", "right"),
			kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}}))
	}
	with := func(c *kfake.Cluster, password string) driver.Config {
		cfg := config(c.ListenAddrs(), "g", "t")
		cfg.Credentials = &auth.Credentials{Protocol: auth.ProtocolSASLSSL, Mechanism: auth.MechanismPlain, Username: "alice",
			Password: auth.NewSecret(password), RootCAs: pki.CA()}
		return cfg
	}
	t.Run("wrong password", func(t *testing.T) {
		m := join(t, with(secured(t), "wrong"), nil)
		m.until(t, "reported", func() bool { return m.has(driver.KindAuthentication) == 1 })
	})
	t.Run("no password", func(t *testing.T) {
		c := cluster(t, kfake.SeedTopics(1, "t"), kfake.EnableSASL(), kfake.Superuser("PLAIN", "alice", "right"))
		m := join(t, config(c.ListenAddrs(), "g", "t"), nil)
		m.until(t, "reported", func() bool { return m.has(driver.KindAuthentication) == 1 })
	})
	t.Run("the right password", func(t *testing.T) {
		m := join(t, with(secured(t), "right"), nil)
		m.until(t, "assigned", func() bool { return len(m.owned) == 1 })
		if len(m.errs) != 0 {
			t.Errorf("errors %v", m.errs)
		}
	})
	t.Run("TLS to a plain broker", func(t *testing.T) {
		c := cluster(t, kfake.SeedTopics(1, "t"))
		cfg := config(c.ListenAddrs(), "g", "t")
		cfg.Credentials = &auth.Credentials{Protocol: auth.ProtocolSSL, RootCAs: pki.CA()}
		m := join(t, cfg, nil)
		m.until(t, "reported", func() bool { return m.has(driver.KindAuthentication)+m.has(driver.KindUnavailable) == 1 })
	})
}

func TestGroupErrorsAreReportedOnce(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(1, "t"))
	joins := 0
	c.ControlKey(int16(kmsg.JoinGroup), func(req kmsg.Request) (kmsg.Response, error, bool) {
		if joins++; joins > 3 {
			return nil, nil, false
		}
		c.KeepControl()
		resp := req.ResponseKind().(*kmsg.JoinGroupResponse)
		resp.ErrorCode = kerr.GroupAuthorizationFailed.Code
		return resp, nil, true
	})
	m := join(t, config(c.ListenAddrs(), "g", "t"), startAt(0))
	m.until(t, "assigned in the end", func() bool { return len(m.owned) == 1 })
	if n := m.has(driver.KindAuthorization); n != 1 {
		t.Errorf("reported %d times: %v", n, m.errs)
	}
}
