package kafkatest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// IAM holds what an Amazon MSK broker knows about the signatures that it accepts. It computes AWS signature version 4
// itself, from AWS's description and without AWS's code.
type IAM struct {
	Region, AccessKey, Secret, SessionToken string
	// Skew sets the broker's clock ahead.
	Skew time.Duration
}

// Challenge checks the payload of AWS_MSK_IAM.
func (i IAM) Challenge(payload []byte) error {
	var fields map[string]string
	if err := json.Unmarshal(payload, &fields); err != nil {
		return errors.New("the challenge is not a JSON object of strings")
	}
	if fields["version"] != "2020_10_22" || fields["user-agent"] == "" {
		return fmt.Errorf("version %q, user agent %q", fields["version"], fields["user-agent"])
	}
	query := url.Values{}
	for short, long := range map[string]string{"action": "Action", "x-amz-algorithm": "X-Amz-Algorithm", "x-amz-credential": "X-Amz-Credential", "x-amz-date": "X-Amz-Date",
		"x-amz-expires": "X-Amz-Expires", "x-amz-security-token": "X-Amz-Security-Token", "x-amz-signature": "X-Amz-Signature", "x-amz-signedheaders": "X-Amz-SignedHeaders"} {
		if value, ok := fields[short]; ok {
			query.Set(long, value)
		}
	}
	return i.check(fields["host"], query)
}

// Token checks a token with which Amazon MSK accepts OAUTHBEARER.
func (i IAM) Token(token string) error {
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return err
	}
	u, err := url.Parse(string(text))
	if err != nil || u.Scheme != "https" || u.Host != "kafka."+i.Region+".amazonaws.com" {
		return errors.New("the token is not a signed URL of Amazon MSK")
	}
	query := u.Query()
	query.Del("User-Agent")
	return i.check(u.Host, query)
}

func (i IAM) check(host string, query url.Values) error {
	at, err := time.Parse("20060102T150405Z", query.Get("X-Amz-Date"))
	if err != nil {
		return err
	}
	life, err := strconv.Atoi(query.Get("X-Amz-Expires"))
	now := time.Now().Add(i.Skew)
	date := query.Get("X-Amz-Date")[:8]
	scope := strings.Join([]string{date, i.Region, "kafka-cluster", "aws4_request"}, "/")
	switch {
	case err != nil || life < 1 || life > 900:
		return fmt.Errorf("access denied: X-Amz-Expires %q", query.Get("X-Amz-Expires"))
	case now.After(at.Add(time.Duration(life) * time.Second)):
		return errors.New("access denied: Signature expired")
	case at.After(now.Add(5 * time.Minute)):
		return errors.New("access denied: Signature not yet current")
	case query.Get("Action") != "kafka-cluster:Connect", query.Get("X-Amz-Algorithm") != "AWS4-HMAC-SHA256", query.Get("X-Amz-SignedHeaders") != "host":
		return errors.New("access denied: another request is signed")
	case query.Get("X-Amz-Credential") != i.AccessKey+"/"+scope:
		return fmt.Errorf("access denied: credential of another scope than %s", scope)
	case query.Get("X-Amz-Security-Token") != i.SessionToken:
		return errors.New("access denied: session token")
	}
	given := query.Get("X-Amz-Signature")
	query.Del("X-Amz-Signature")
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(query)) {
		pairs = append(pairs, strings.ReplaceAll(url.QueryEscape(name), "+", "%20")+"="+strings.ReplaceAll(url.QueryEscape(query.Get(name)), "+", "%20"))
	}
	sum := func(text string) string {
		digest := sha256.Sum256([]byte(text))
		return hex.EncodeToString(digest[:])
	}
	request := "GET\n/\n" + strings.Join(pairs, "&") + "\nhost:" + host + "\n\nhost\n" + sum("")
	key := []byte("AWS4" + i.Secret)
	for _, part := range []string{date, i.Region, "kafka-cluster", "aws4_request", "AWS4-HMAC-SHA256\n" + query.Get("X-Amz-Date") + "\n" + scope + "\n" + sum(request)} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	if hex.EncodeToString(key) != given {
		return errors.New("access denied: signature does not match")
	}
	return nil
}

// Bearer returns the token and the extensions in an OAUTHBEARER payload (RFC 7628, 3.1).
func Bearer(payload []byte) (token string, extensions map[string]string, err error) {
	extensions = map[string]string{}
	for i, part := range strings.Split(string(payload), "\x01") {
		name, value, ok := strings.Cut(part, "=")
		switch {
		case i == 0 && !strings.HasPrefix(part, "n,"):
			return "", nil, errors.New("no GS2 header")
		case i == 0 || part == "":
		case !ok:
			return "", nil, errors.New("no pair")
		case name == "auth":
			token = strings.TrimPrefix(value, "Bearer ")
		default:
			extensions[name] = value
		}
	}
	return token, extensions, nil
}

// SASL makes the in-process broker support a mechanism that it does not implement itself. verify checks what a client
// sends; its result is sent to the client, and its error is a refusal with that text. Sessions last for lifetime, 0 for
// no limit. SASL returns a function that counts authentications.
func SASL(cluster *kfake.Cluster, mechanism string, lifetime time.Duration, verify func(payload []byte) ([]byte, error)) (authenticated func() int) {
	var mu sync.Mutex
	n := 0
	cluster.ControlKey(int16(kmsg.SASLHandshake), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		answer := request.ResponseKind().(*kmsg.SASLHandshakeResponse)
		answer.SupportedMechanisms = []string{mechanism}
		if request.(*kmsg.SASLHandshakeRequest).Mechanism != mechanism {
			answer.ErrorCode = kerr.UnsupportedSaslMechanism.Code
		}
		return answer, nil, true
	})
	cluster.ControlKey(int16(kmsg.SASLAuthenticate), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		answer := request.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		said, err := verify(request.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes)
		if err != nil {
			text := err.Error()
			answer.ErrorCode, answer.ErrorMessage = kerr.SaslAuthenticationFailed.Code, &text
			return answer, nil, true //nolint:nilerr // the refusal is the answer
		}
		mu.Lock()
		n++
		mu.Unlock()
		answer.SASLAuthBytes, answer.SessionLifetimeMillis = said, lifetime.Milliseconds()
		return answer, nil, true
	})
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}
