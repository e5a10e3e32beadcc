package drivertest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
)

// Run runs every case of the contract as a subtest.
func Run(t *testing.T, target Target) {
	t.Helper()
	run(t, target, allCases())
}

// Smoke runs a part of Run, for brokers other than the default: all cases except those that wait for brokers to restart
// or need several brokers.
func Smoke(t *testing.T, target Target) {
	t.Helper()
	run(t, target, slices.DeleteFunc(allCases(), func(c testCase) bool {
		return slices.Contains(c.needs, needStop) || c.moves()
	}))
}

// Moves runs the cases in which one broker takes over from another. They are a part of Run, for an environment of
// several brokers; Run itself can then use a single broker, which is quicker to kill and start.
func Moves(t *testing.T, target Target) {
	t.Helper()
	run(t, target, slices.DeleteFunc(allCases(), func(c testCase) bool { return !c.moves() }))
}

func (c *testCase) moves() bool {
	return slices.Contains(c.needs, needMoveCoordinator) || slices.Contains(c.needs, needMoveLeader)
}

func allCases() []testCase {
	return slices.Concat(groupCases, staticCases, readCases, positionCases, offsetCases, topicCases, featureCases, faultCases, closeCases)
}

func run(t *testing.T, target Target, cases []testCase) {
	t.Helper()
	if target.Other == nil {
		target.Other = target.Driver
	}
	if target.Patience <= 0 {
		target.Patience = 20 * time.Second
	}
	for name, why := range target.Skip {
		if !slices.ContainsFunc(cases, func(c testCase) bool { return c.name == name }) {
			t.Errorf("Target.Skip names %q, which is not a case of this run", name)
		}
		if why == "" {
			t.Errorf("Target.Skip names %q and no reason", name)
		}
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { runCase(t, target, c) })
	}
}

func runCase(t *testing.T, target Target, c testCase) {
	if why, ok := target.Skip[c.name]; ok {
		t.Skipf("declared in Target.Skip: %s", why)
	}
	env := target.Environment(t)
	if env.SessionTimeout <= 0 {
		env.SessionTimeout = 6 * time.Second
	}
	switch why, err := c.excused(env, target.Driver(env)); {
	case err != nil:
		t.Fatal(err)
	case why != "":
		t.Skip(why)
	}
	k := &kit{T: t, target: target, env: env, owners: newOwners()}
	// Each run gets unique names: an environment may outlive the case.
	unique := fmt.Sprintf("%s-%d", strings.NewReplacer("/", "-", " ", "-", ",", "", "#", "-").Replace(c.name), time.Now().UnixNano())
	k.group, k.prefix = "g-"+unique, "t-"+unique
	c.run(k)
}

// excused returns why a case does not run: something it needs is declared as missing. The error is for something that
// is missing and not declared, so that nothing is skipped silently.
func (c *testCase) excused(env Environment, d driver.Driver) (why string, err error) {
	can := env.can()
	for n, reason := range env.Lacks {
		if _, known := can[n]; !known || reason == "" {
			return "", fmt.Errorf("Environment.Lacks[%q] of %q is %q: want something that a case needs, and the reason", n, env.Name, reason)
		}
	}
	for _, n := range c.needs {
		if reason, declared := env.Lacks[n]; declared {
			return fmt.Sprintf("declared in Environment.Lacks: %q has no %s: %s", env.Name, n, reason), nil
		}
		if !can[n] {
			return "", fmt.Errorf("the environment %q has no %s: give it a way, or name it in Environment.Lacks with the reason", env.Name, n)
		}
	}
	if c.lacks == nil {
		return "", nil
	}
	if what := c.lacks(d.Features()); what != "" {
		return fmt.Sprintf("declared in Features: the driver %q has no %s", d.Name(), what), nil
	}
	return "", nil
}
