package integration

// childEnv makes the test binary one consumer; its value is the consumer's settings as JSON.
const childEnv = "ESM_INTEGRATION_CONSUMER"

func consume(string) int { return 2 }
