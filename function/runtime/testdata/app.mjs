console.log("cold start");

export const handler = async (event, context) => {
  const failures = [];
  for (const [partition, records] of Object.entries(event.records)) {
    for (const r of records) {
      const [verb, rest] = Buffer.from(r.value, "base64").toString().split(" ");
      if (verb === "fail") throw new TypeError("bad record " + rest);
      if (verb === "item") failures.push({ itemIdentifier: { partition, offset: r.offset } });
      if (verb === "print") console.log(rest, context.awsRequestId);
      if (verb === "die") process.kill(process.pid, "SIGKILL");
      if (verb === "sleep") await new Promise((done) => setTimeout(done, Number(rest) * 1000));
      if (verb === "big") return "x".repeat(Number(rest));
    }
  }
  return { batchItemFailures: failures };
};
