package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// errTLSListener says that a listener that should speak Kafka without TLS speaks TLS.
var errTLSListener = errors.New("the listener speaks TLS")

// probePlaintext asks over a connection without TLS whether the listener requires SASL and, if it hangs up or is
// silent, whether it speaks TLS.
func probePlaintext(ctx context.Context, raw net.Conn, address string, dial func(ctx context.Context, network, address string) (net.Conn, error)) error {
	stop, err := linger(ctx, raw)
	if err != nil {
		return err
	}
	defer stop()
	err = wantsSASL(raw)
	if (hungUp(err) || errors.Is(err, os.ErrDeadlineExceeded)) && answersTLS(ctx, address, dial) {
		return errTLSListener
	}
	return err
}

// answersTLS begins a TLS handshake that trusts no CA. A certificate or an alert is an answer, and the handshake never
// completes.
func answersTLS(ctx context.Context, address string, dial func(ctx context.Context, network, address string) (net.Conn, error)) bool {
	conn, err := dial(ctx, "tcp", address)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(ctx, probeHandshake)
	defer cancel()
	config := &tls.Config{ServerName: "listener", RootCAs: x509.NewCertPool()}
	err = tls.Client(conn, config).HandshakeContext(ctx)
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	operation, ok := errors.AsType[*net.OpError](err)
	return ok && operation.Op == "remote error" // an alert
}

// linger sets conn's deadline to the time that a probe waits for an answer. Until stop is called, the end of ctx also
// ends conn's reads and writes.
func linger(ctx context.Context, conn net.Conn) (stop func() bool, err error) {
	until := time.Now().Add(probeLinger)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(until) {
		until = deadline
	}
	if err := conn.SetDeadline(until); err != nil {
		return nil, fmt.Errorf("set a deadline: %w", err)
	}
	return context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }), nil
}
