package drivertest

import (
	"strings"
	"testing"

	"github.com/esm-go/esm/driver"
)

type featured struct {
	driver.Driver
	has driver.Features
}

func (featured) Name() string                { return "featured" }
func (f featured) Features() driver.Features { return f.has }

// A missing need skips a case only if it is declared.
func TestExcused(t *testing.T) {
	stop := testCase{needs: []string{needStop}}
	ids := testCase{needs: []string{needTopicIDs}, lacks: lacksTopicIDs}
	with := driver.Features{TopicIDs: true}
	nothing := func(testing.TB) {}
	for name, c := range map[string]struct {
		test      testCase
		env       Environment
		features  driver.Features
		why, fail string // part of the reason, of the error
	}{
		"there":                      {test: stop, env: Environment{Stop: nothing, Start: nothing}},
		"half there":                 {test: stop, env: Environment{Stop: nothing}, fail: "no Stop"},
		"not there":                  {test: stop, fail: "no Stop"},
		"declared":                   {test: stop, env: Environment{Lacks: map[string]string{needStop: "it stays"}}, why: "it stays"},
		"declared without a reason":  {test: stop, env: Environment{Lacks: map[string]string{needStop: ""}}, fail: "the reason"},
		"declared by a strange name": {test: ids, env: Environment{Lacks: map[string]string{"Stopp": "it stays"}}, features: with, fail: "Stopp"},
		"a feature that is there":    {test: ids, features: with},
		"a feature that is not":      {test: ids, why: "no TopicIDs"},
		"a protocol without it":      {test: ids, env: Environment{Lacks: map[string]string{needTopicIDs: "too old"}}, features: with, why: "too old"},
	} {
		t.Run(name, func(t *testing.T) {
			why, err := c.test.excused(c.env, featured{has: c.features})
			if !strings.Contains(why, c.why) || (why == "") != (c.why == "") {
				t.Errorf("excused by %q, want %q", why, c.why)
			}
			if (err == nil) != (c.fail == "") || err != nil && !strings.Contains(err.Error(), c.fail) {
				t.Errorf("error %v, want %q", err, c.fail)
			}
		})
	}
}
