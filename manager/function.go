package manager

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/esm-go/esm"
)

// ErrFunctionNotFound is wrapped by the error of Functions.Resolve for an unknown name.
var ErrFunctionNotFound = errors.New("Function does not exist") // AWS's text, capitalized as on AWS

// Functions finds the handler that a mapping's FunctionName invokes.
type Functions interface {
	// Resolve returns the handler of a function. The function is named as in CreateEventSourceMapping: by its name, its
	// partial ARN or its ARN, with or without a version or alias. For an unknown name the error wraps
	// ErrFunctionNotFound. Any other error counts as temporary and is retried. Resolve must be safe for concurrent use.
	Resolve(functionName string) (esm.Handler, error)
}

// FunctionsFunc is a func that implements Functions.
type FunctionsFunc func(functionName string) (esm.Handler, error)

// Resolve calls the func.
func (f FunctionsFunc) Resolve(functionName string) (esm.Handler, error) { return f(functionName) }

// Handlers are Functions by name. A key with a qualifier ("orders:blue") is looked up first; a key without one matches
// every version and alias. Do not change the map once a Manager has it.
type Handlers map[string]esm.Handler

// Resolve finds the handler by the function's name within functionName.
func (h Handlers) Resolve(functionName string) (esm.Handler, error) {
	n := ParseFunctionName(functionName)
	for _, key := range []string{functionName, n.Name + ":" + n.Qualifier, n.Name} {
		if handler := h[key]; handler != nil {
			return handler, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrFunctionNotFound, functionName)
}

// FunctionName is a parsed FunctionName. Parts that it does not have are empty.
type FunctionName struct {
	Partition, Region, Account, Name, Qualifier string
}

// functionName is AWS's pattern (API reference, CreateEventSourceMapping), with groups.
var functionName = regexp.MustCompile(`^(?:arn:(aws[a-zA-Z-]*):lambda:)?(?:([a-z]{2}[a-z0-9-]*-[0-9]):)?(?:([0-9]{12}):)?(?:function:)?([a-zA-Z0-9_.-]+)(?::(\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9_-]+))?$`)

// ParseFunctionName splits a function's name or ARN into its parts. If it has neither form, all of it becomes Name.
func ParseFunctionName(s string) FunctionName {
	p := functionName.FindStringSubmatch(s)
	if p == nil {
		return FunctionName{Name: s}
	}
	return FunctionName{Partition: p[1], Region: p[2], Account: p[3], Name: p[4], Qualifier: p[5]}
}

// ARN is an AWS partition, Region and account, as they appear in ARNs.
type ARN struct {
	// Partition defaults to "aws", Region to "us-east-1", Account to "000000000000" (twelve digits).
	Partition, Region, Account string
}

func (a ARN) withDefaults() ARN {
	if a.Partition == "" {
		a.Partition = "aws"
	}
	if a.Region == "" {
		a.Region = "us-east-1"
	}
	if a.Account == "" {
		a.Account = "000000000000"
	}
	return a
}

var arnPart = map[string]*regexp.Regexp{
	"Partition": regexp.MustCompile(`^aws[a-zA-Z-]*$`),
	"Region":    regexp.MustCompile(`^(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}$`),
	"Account":   regexp.MustCompile(`^\d{12}$`),
}

func (a ARN) validate() error {
	var errs []error
	for _, part := range []struct{ name, value string }{{"Partition", a.Partition}, {"Region", a.Region}, {"Account", a.Account}} {
		if !arnPart[part.name].MatchString(part.value) {
			errs = append(errs, fmt.Errorf("manager: WithARN: %s = %q: want what AWS's ARNs have, such as aws, eu-west-1 and 123456789012", part.name, part.value))
		}
	}
	return errors.Join(errs...)
}

// function returns the ARN of a function, with the qualifier as it was given, as AWS does.
func (a ARN) function(name string) string {
	n := ParseFunctionName(name)
	pick := func(given, ours string) string {
		if given != "" {
			return given
		}
		return ours
	}
	arn := strings.Join([]string{"arn", pick(n.Partition, a.Partition), "lambda", pick(n.Region, a.Region), pick(n.Account, a.Account), "function", n.Name}, ":")
	if n.Qualifier != "" {
		arn += ":" + n.Qualifier
	}
	return arn
}

func (a ARN) mapping(uuid string) string {
	return strings.Join([]string{"arn", a.Partition, "lambda", a.Region, a.Account, "event-source-mapping", uuid}, ":")
}

// ARN returns the parts that all of the Manager's ARNs begin with.
func (m *Manager) ARN() ARN { return m.o.arn }

// Function returns the ARN of a function. If a mapping could not use the function, it also returns the error of
// Functions.Resolve.
func (m *Manager) Function(name string) (arn string, err error) {
	_, err = m.functions.Resolve(name)
	return m.o.arn.function(name), err
}
