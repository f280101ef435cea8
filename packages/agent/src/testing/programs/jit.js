// Spends its time in hotLoop, called by busyWork: JIT code with names in a perf map.
function hotLoop(rounds) {
  let sum = 0;
  for (let i = 0; i < rounds; i++) sum = (sum + i * i) % 1000003;
  return sum;
}

function busyWork() {
  let total = 0;
  for (let i = 0; i < 100; i++) total += hotLoop(100000);
  return total;
}

// V8 writes a jitdump when 2 MB of it have come together: what is hot by now must not wait for its end.
while (process.cpuUsage().user < 700_000) busyWork();
const { runInThisContext } = process.getBuiltinModule('node:vm');
for (let i = 0; i < 1500; i++) runInThisContext(`(function one() { return ${i}; })`)();

for (;;) busyWork();
