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

for (;;) busyWork();
