// Crawlee's pool in JavaScript: node --expose-gc crawlee.mjs MEMBERS
// A pick has no end there: it is followed by `markGood`, which is the nearest to giving back.
import fs from 'node:fs';
import { Configuration, SessionPool } from '@crawlee/core';

const members = Number(process.argv[2]);
Configuration.getGlobalConfig().set('persistStateIntervalMillis', 600_000);
const sessionOptions = { maxUsageCount: 1e12, maxAgeSecs: 1e6 };
const pool = await SessionPool.open({ maxPoolSize: members, sessionOptions });
for (let at = 0; at < members; at++) await pool.getSession(); // makes one while there is room
const busy = () => Number(fs.readFileSync('/proc/self/schedstat', 'utf8').split(' ')[0]) / 1e9;

async function once() {
  const session = await pool.getSession();
  session.markGood();
}

async function during(milliseconds) {
  const [begun, before] = [performance.now(), busy()];
  let done = 0;
  while (performance.now() - begun < milliseconds) {
    for (let at = 0; at < 16; at++) await once();
    done += 16;
  }
  return done / (busy() - before);
}

await during(300);
console.log(`pick and mark\t${members}\t${Math.round(await during(2000))}`);

// Its state on disk, as it writes it every minute: all of it.
const cookies = Array.from({ length: 5 }, (_, at) => ({ name: `cookie-${at}`, value: 'v'.repeat(32) }));
for (const session of pool.sessions) session.setCookies(cookies, 'http://site.test/');
const begun = performance.now();
await pool.persistState();
console.log(`Crawlee, JavaScript: all written\t${members}\t${((performance.now() - begun) / 1000).toFixed(6)}`);
process.exit(0);
