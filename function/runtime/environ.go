package runtime

import (
	"crypto/rand"
	"encoding/hex"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/esm-go/esm/function"
)

// inherited are the host's variables that a worker inherits.
var inherited = []string{"PATH", "LANG", "TZ", "TMPDIR"}

// environment returns the environment of a worker whose Runtime API is at address: the host's inherited variables, the
// function's own, and those that Lambda sets.
func environment(c *Config, name function.Name, address string, now time.Time) []string {
	version := name.Qualifier
	if version == "" {
		version = "$LATEST"
	}
	vars := make(map[string]string)
	for _, key := range inherited {
		if v, ok := os.LookupEnv(key); ok {
			vars[key] = v
		}
	}
	if name.Region != "" {
		vars["AWS_REGION"], vars["AWS_DEFAULT_REGION"] = name.Region, name.Region
	}
	maps.Copy(vars, c.Environment)
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	maps.Copy(vars, map[string]string{
		"_HANDLER":                        c.Handler,
		"AWS_LAMBDA_RUNTIME_API":          address,
		"AWS_LAMBDA_FUNCTION_NAME":        name.Function,
		"AWS_LAMBDA_FUNCTION_VERSION":     version,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(c.MemorySize),
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/aws/lambda/" + name.Function,
		"AWS_LAMBDA_LOG_STREAM_NAME":      now.UTC().Format("2006/01/02/") + "[" + version + "]" + hex.EncodeToString(id[:]),
		"LAMBDA_TASK_ROOT":                c.Dir,
		"LAMBDA_RUNTIME_DIR":              c.Dir,
	})
	env := make([]string, 0, len(vars))
	for k, v := range vars {
		env = append(env, k+"="+v)
	}
	slices.Sort(env)
	return env
}
