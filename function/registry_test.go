package function

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmtest"
)

func TestParseName(t *testing.T) {
	for _, s := range []string{
		"orders", "orders:blue", "orders:1", "orders:$LATEST", "123456789012:function:orders", "123456789012:function:orders:blue",
		"arn:aws:lambda:eu-west-1:123456789012:function:orders", "arn:aws:lambda:eu-west-1:123456789012:function:orders:$LATEST",
		"arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:orders", "arn:aws-iso-b:lambda:us-isob-east-1:123456789012:function:o_r-d.ers",
		"arn:aws-eusc:lambda:eusc-de-east-1:123456789012:function:orders",
	} {
		n, err := ParseName(s)
		if err != nil || n.String() != s {
			t.Errorf("%s: %+v is %s, %v", s, n, n, err)
		}
	}
	for s, want := range map[string]string{
		"":                                     "is empty",
		"arn:aws:sqs:eu-west-1:123456789012:q": "ARN of sqs",
		"arn:aws:lambda:eu-west-1:123456789012:layer:x:1":              "layer",
		"arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:x": "event-source-mapping",
		"arn:aws:lambda:eu-west-1":                                     "whole ARN",
		"a b":                                                          "function's name",
		"orders:":                                                      "function's name",
		"orders:a:b":                                                   "function's name",
		"arn:aws:lambda:eu-west-1:12:function:orders":                  "function's name",
		strings.Repeat("x", 65):                                        "64",
		strings.Repeat("x", 300):                                       "256",
	} {
		if _, err := ParseName(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", s, err, want)
		}
	}
	if n, _ := ParseName("orders:1"); n.ARN() != "arn:aws:lambda:us-east-1:000000000000:function:orders:1" {
		t.Error(n.ARN())
	}
}

// tag is a Target that can be told from others.
func tag(s string) Target {
	return Func(func(context.Context, esm.KafkaEvent) error { return errors.New(s) })
}

func TestRegistry(t *testing.T) {
	var r Registry
	const here, there = "arn:aws:lambda:eu-west-1:111111111111:function:orders", "arn:aws:lambda:eu-west-1:222222222222:function:orders"
	for _, name := range []string{"orders", "orders:blue", there, "pay:$LATEST"} {
		if err := r.Register(name, tag(name)); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(name string) string {
		target, err := r.Resolve(name)
		if err != nil {
			return "! " + err.Error()
		}
		return target.Handle(t.Context(), esm.KafkaEvent{}).Error()
	}
	for name, want := range map[string]string{
		"orders": "orders", "orders:$LATEST": "orders", "orders:blue": "orders:blue", here: "orders", here + ":blue": "orders:blue",
		there: there, there + ":blue": "orders:blue", "222222222222:function:orders": there, "pay": "pay:$LATEST",
		"orders:green": "! ResourceNotFoundException: Function not found: orders:green",
		"other":        "! ResourceNotFoundException: Function not found: other",
	} {
		if got := ask(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if err := r.Register("orders:$LATEST", tag("x")); !errors.Is(err, ErrAlreadyRegistered) {
		t.Error(err)
	}
	if err := r.Register("arn:aws:sqs:a:b:c", tag("x")); err == nil {
		t.Error("an ARN of another kind was taken")
	}
	if err := r.Register("nil", nil); err == nil {
		t.Error("nil was taken")
	}
	r.SetFallback(func(n Name) (Target, error) { return tag("fallback " + n.String()), nil })
	if got := ask("other"); got != "fallback other" {
		t.Error(got)
	}
	if !r.Remove("orders:blue") || r.Remove("orders:blue") {
		t.Error("Remove")
	}
}

// A mapping can be created before its function exists: its records wait.
func TestLate(t *testing.T) {
	var r Registry
	late := r.Late("orders")
	if nf, ok := errors.AsType[*NotFoundError](late.Ready(t.Context())); !ok || nf.Code() != "ResourceNotFoundException" {
		t.Errorf("Ready says %v", late.Ready(t.Context()))
	}
	calls := 0
	m := mapping(false)
	m.MaximumRetryAttempts = new(0)
	res := esmtest.Invoke(t, m, func(ctx context.Context, e esm.KafkaEvent) error {
		if calls++; calls == 3 {
			if err := r.Register("orders", Func(func(context.Context, esm.KafkaEvent) error { return nil })); err != nil {
				t.Error(err)
			}
		}
		return late.Handle(ctx, e)
	}, esmtest.Values("a")...)
	if res.Attempts != 3 || len(res.Dropped) != 0 || res.Unresolved != 0 || late.Ready(t.Context()) != nil {
		t.Errorf("%d attempts, dropped %v", res.Attempts, res.Dropped)
	}
}

// While the function does not exist, the mapping's Status says so in Lambda's words, and no longer once it exists.
func TestLateInStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r Registry
		b := esmtest.NewBroker(t)
		b.Produce("t", esmtest.Values("a")...)
		m := mapping(false)
		m.MaximumRetryAttempts = new(0)
		run := esmtest.Start(t, b, m, r.Late("orders").Handle)
		time.Sleep(time.Minute)
		s := run.Runner().Status()
		if len(s.Conditions) != 1 || s.Conditions[0].Kind != "ResourceNotFoundException" || s.LastProcessingResult != "PROBLEM: ResourceNotFoundException: Function not found: orders" {
			t.Errorf("%q, %v", s.LastProcessingResult, s.Conditions)
		}
		if err := r.Register("orders", Func(func(context.Context, esm.KafkaEvent) error { return nil })); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if s := run.Runner().Status(); len(s.Conditions) != 0 || s.LastProcessingResult != "OK" || b.Lag(s.ConsumerGroupId) != 0 {
			t.Errorf("once it is there: %q, %v", s.LastProcessingResult, s.Conditions)
		}
		_ = run.Stop() // its error fails the test
	})
}
