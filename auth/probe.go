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
// credentials' certificates and reports why it fails, in errors that
// [Classify] tells apart. librdkafka says the same of a broker with an unknown
// CA, a wrong name and an expired certificate: this says which.
//
// dial opens the connection, nil for a plain [net.Dialer]. No password goes out.
// Where the other side hangs up on the handshake or is silent, a second
// connection asks, without TLS, which versions of Kafka's requests it knows: an
// answer means a plaintext listener. After a handshake that went well,
// credentials without SASL ask whether the listener wants it. Without TLS in the
// credentials ProbeTLS only dials. It takes up to a second longer than the
// handshake, which has two, and ends with ctx.
func ProbeTLS(ctx context.Context, address string, credentials *Credentials,
	dial func(ctx context.Context, network, address string) (net.Conn, error)) error {
	config, err := credentials.TLSConfig()
	if err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("probe %q: give host:port: %w", address, err)
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
		return nil
	}
	config.ServerName = host
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
	until := time.Now().Add(probeLinger)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(until) {
		until = deadline
	}
	if err := raw.SetDeadline(until); err != nil {
		return fmt.Errorf("probe %s: %w", address, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if credentials.Mechanism == "" {
		err = wantsSASL(conn)
	} else {
		_, err = conn.Read(make([]byte, 1))
	}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("probe %s: %w", address, ctx.Err())
	case err == nil, errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		// Silence is consent: a broker waits for a request.
		return nil
	}
	return fmt.Errorf("probe %s: %w", address, err)
}
