package auth

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// probeLinger is how long ProbeTLS waits for a refusal after a successful handshake: in TLS 1.3 a broker judges the
// client's certificate after the client has finished. That takes one round trip.
const probeLinger = time.Second

// probeHandshake bounds ProbeTLS's handshake: a listener without TLS may mistake its first bytes for those of a long
// request, and wait for the rest.
const probeHandshake = 2 * time.Second

// ProbeTLS makes a TLS connection to address ("host:port") with the credentials' certificates and returns why it fails,
// in errors that [Classify] distinguishes. librdkafka reports a broker with an unknown CA, a wrong name or an expired
// certificate in the same way; ProbeTLS tells which one it is.
//
// dial opens the connection; nil means a plain [net.Dialer]. ProbeTLS sends no password. If the other side hangs up
// during the handshake or is silent, a second connection, without TLS, asks for the supported versions of Kafka's
// requests: an answer means a plaintext listener. If the credentials have no SASL, ProbeTLS asks after a successful
// handshake whether the listener requires it. If they have no TLS either, it asks that at once; if the other side hangs
// up or is silent, a second connection finds out whether it speaks TLS. ProbeTLS takes up to a second longer than the
// handshake, which may take two, and ends with ctx.
func ProbeTLS(ctx context.Context, address string, credentials *Credentials,
	dial func(ctx context.Context, network, address string) (net.Conn, error)) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("probe %q: give host:port: %w", address, err)
	}
	config, err := credentials.TLSConfigFor(host)
	if err != nil {
		return err
	}
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	raw, err := dial(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("probe %s: %w", address, err)
	}
	defer func() { _ = raw.Close() }()
	if config == nil {
		return probed(ctx, address, probePlaintext(ctx, raw, address, dial))
	}
	conn := tls.Client(raw, config)
	handshakeCtx, cancel := context.WithTimeout(ctx, probeHandshake)
	err = conn.HandshakeContext(handshakeCtx)
	cancel()
	if err != nil {
		if (hungUp(err) || errors.Is(err, context.DeadlineExceeded)) && answersPlaintext(ctx, address, dial) {
			err = errPlaintextListener
		}
		return fmt.Errorf("probe %s: %w", address, err)
	}
	stop, err := linger(ctx, raw)
	if err != nil {
		return fmt.Errorf("probe %s: %w", address, err)
	}
	defer stop()
	if credentials.Mechanism == "" {
		err = wantsSASL(conn)
	} else {
		_, err = conn.Read(make([]byte, 1))
	}
	return probed(ctx, address, err)
}

// probed returns the result of a probe whose established connection ended with err.
func probed(ctx context.Context, address string, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("probe %s: %w", address, ctx.Err())
	case err == nil, errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		// Silence means that the broker accepts the client and waits for a request.
		return nil
	}
	return fmt.Errorf("probe %s: %w", address, err)
}
