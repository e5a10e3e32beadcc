package auth

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
)

// errPlaintextListener says that a listener that should speak TLS answers without it.
var errPlaintextListener = errors.New("the listener speaks Kafka without TLS")

// saslWantedError says that a listener that should require only TLS supports SASL mechanisms.
type saslWantedError struct{ mechanisms []string }

func (e *saslWantedError) Error() string {
	return "the listener wants SASL, with one of " + strings.Join(e.mechanisms, ", ")
}

// hungUp reports whether the other side closed the connection.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// The two requests that brokers answer before authentication, by their keys in Kafka's protocol, and the versions that
// are used here.
const (
	saslHandshake, saslHandshakeVersion = 17, 1
	apiVersions, apiVersionsVersion     = 18, 0
)

// probeID is the correlation ID of a probe's requests; no other program answers with it by chance.
const probeID = 0x65736d3f

// maxProbeAnswer bounds how much of an answer is read: SaslHandshake's holds a few names.
const maxProbeAnswer = 4096

// answersPlaintext reports whether a listener answers the request for supported versions without TLS.
func answersPlaintext(ctx context.Context, address string, dial func(ctx context.Context, network, address string) (net.Conn, error)) bool {
	conn, err := dial(ctx, "tcp", address)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	if conn.SetDeadline(time.Now().Add(probeLinger)) != nil {
		return false
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	_, err = ask(conn, apiVersions, apiVersionsVersion, nil)
	return err == nil
}

// wantsSASL begins a SASL exchange with nothing but the name of a mechanism. A listener without SASL answers
// ILLEGAL_SASL_STATE.
func wantsSASL(conn io.ReadWriter) error {
	const mechanism = string(MechanismPlain)
	body := append(binary.BigEndian.AppendUint16(nil, uint16(len(mechanism))), mechanism...)
	answer, err := ask(conn, saslHandshake, saslHandshakeVersion, body)
	if err != nil || len(answer) < 6 {
		return err
	}
	if code := binary.BigEndian.Uint16(answer); code != 0 && code != brokerMechanism {
		return nil
	}
	wanted := &saslWantedError{}
	rest := answer[6:] // after the code and the number of mechanisms
	for len(rest) >= 2 {
		n := int(binary.BigEndian.Uint16(rest))
		if n > len(rest)-2 || len(wanted.mechanisms) == 16 {
			break
		}
		wanted.mechanisms = append(wanted.mechanisms, fmt.Sprintf("%.40q", rest[2:2+n]))
		rest = rest[2+n:]
	}
	if len(wanted.mechanisms) == 0 {
		return nil
	}
	return wanted
}

// ask sends a request without a client ID and returns the body of its answer, truncated to maxProbeAnswer.
func ask(conn io.ReadWriter, key, version uint16, body []byte) ([]byte, error) {
	request := binary.BigEndian.AppendUint32(nil, uint32(10+len(body)))
	request = binary.BigEndian.AppendUint16(request, key)
	request = binary.BigEndian.AppendUint16(request, version)
	request = binary.BigEndian.AppendUint32(request, probeID)
	request = append(request, 0xff, 0xff)
	if _, err := conn.Write(append(request, body...)); err != nil {
		return nil, err
	}
	head := make([]byte, 8) // the answer's length, and the correlation id
	if _, err := io.ReadFull(conn, head); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head)
	if binary.BigEndian.Uint32(head[4:]) != probeID || size < 4 {
		return nil, errors.New("the listener's answer is not Kafka's")
	}
	answer := make([]byte, min(size-4, maxProbeAnswer))
	_, err := io.ReadFull(conn, answer)
	return answer, err
}
