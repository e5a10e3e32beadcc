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

// probeLinger is how long ProbeTLS listens for a refusal after a handshake that
// went well: on TLS 1.3 a broker judges the client's certificate after the
// client is done. A round trip is what it takes.
const probeLinger = time.Second

// probeHandshake bounds ProbeTLS's handshake: a listener without TLS may take
// its beginning for that of a long request, and wait for the rest.
const probeHandshake = 2 * time.Second

// ProbeTLS makes one TLS connection to address ("host:port") with the
// credentials' certificates and returns why it fails, in errors that
// [Classify] tells apart. librdkafka reports a broker with an unknown CA, a
// wrong name and an expired certificate in the same way; ProbeTLS says which.
//
// dial opens the connection, nil for a plain [net.Dialer]. No password goes out.
// Where the other side hangs up on the handshake or is silent, a second
// connection asks, without TLS, which versions of Kafka's requests it knows: an
// answer means a plaintext listener. After a handshake that went well,
// credentials without SASL ask whether the listener wants it. Without TLS in the
// credentials ProbeTLS asks that at once, and where the other side hangs up or
// is silent, a second connection finds out whether it speaks TLS. It takes up to
// a second longer than the handshake, which has two, and ends with ctx.
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

// probed is what a probe answers when a connection that was made ended in err.
func probed(ctx context.Context, address string, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("probe %s: %w", address, ctx.Err())
	case err == nil, errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		// Silence is consent: a broker waits for a request.
		return nil
	}
	return fmt.Errorf("probe %s: %w", address, err)
}
