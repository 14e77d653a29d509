// tough-cookie with its memory store, through its synchronous calls.
// Run with: node --expose-gc tough.mjs SIZE… [worst]
import { CookieJar } from "tough-cookie";

const NAME = "tough-cookie";
const PER_DOMAIN = 10;
const hex = (number) => number.toString(16).padStart(16, "0");
const url = (domain) => `https://www.site${domain}.example/account/orders?page=2`;
const line = (cookie, version) =>
  `cookie${cookie}=${hex(cookie)}${hex(version)}; Path=/; Secure; HttpOnly; Max-Age=86400`;

const words = process.argv.slice(2);
for (const size of words.filter((word) => /^\d+$/.test(word)).map(Number)) growth(size);
if (words.includes("worst")) worst();

function newJar() {
  return new CookieJar(undefined, { rejectPublicSuffixes: true, allowSpecialUseDomain: true });
}

function growth(size) {
  const domains = size / PER_DOMAIN;
  const before = heap();
  const jar = newJar();
  for (let domain = 0; domain < domains; domain++) fill(jar, domain, PER_DOMAIN);
  report("bytes", size, (heap() - before) / size);
  const target = url(Math.floor(domains / 2));
  const count = jar.getCookieStringSync(target).split("=").length - 1;
  if (count !== PER_DOMAIN) throw new Error(`${count} cookies`);
  report("header", size, time(() => jar.getCookieStringSync(target)));
  const targets = Array.from({ length: 1024 }, (_, turn) => url((turn * 7919) % domains));
  report("header of any host", size, time((turn) => jar.getCookieStringSync(targets[turn % 1024])));
  const lines = Array.from({ length: 1024 }, (_, turn) => line(turn % PER_DOMAIN, turn));
  report("replace", size, time((turn) => jar.setCookieSync(lines[turn % 1024], targets[turn % 1024])));
  report("store", size, time((turn) =>
    jar.setCookieSync(line(turn, turn), url(domains + Math.floor(turn / PER_DOMAIN)))));
}

function worst() {
  const jar = newJar();
  fill(jar, 0, 3000);
  report("3,000 cookies of one domain, header", 3000, time(() => jar.getCookieStringSync(url(0))));
  report("3,000 cookies of one domain, replace", 3000, time((turn) =>
    jar.setCookieSync(line(turn % 3000, turn), url(0))));
  const deep = newJar();
  let path = "";
  const parts = [];
  for (let depth = 0; depth < 100; depth++) parts.push((path += `/level${depth}`));
  const target = `https://deep.example${path}`;
  parts.forEach((part, depth) => deep.setCookieSync(`c${depth}=${hex(0)}${hex(depth)}; Path=${part}`, target));
  report("100 paths, each below the other, header", 100, time(() => deep.getCookieStringSync(target)));
  const before = heap();
  const jars = [];
  for (let turn = 0; turn < 1000; turn++) {
    const jar = newJar();
    fill(jar, 1, 5);
    jars.push(jar);
  }
  report("bytes of a jar of 5 cookies", 5, (heap() - before) / jars.length);
}

function fill(jar, domain, count) {
  for (let cookie = 0; cookie < count; cookie++) jar.setCookieSync(line(cookie, 0), url(domain));
}

function heap() {
  gc();
  return process.memoryUsage().heapUsed;
}

/** Seconds of processor time that one run takes: the median of batches. */
function time(run) {
  let done = 0;
  const batch = (size) => {
    const begin = process.cpuUsage();
    for (let turn = 0; turn < size; turn++) run(done++);
    const { user, system } = process.cpuUsage(begin);
    return (user + system) / 1e6;
  };
  let size = 1;
  while (batch(size) < 0.003) size *= 2;
  const times = [];
  const start = Date.now();
  while (times.length < 3 || Date.now() - start < 400) times.push(batch(size) / size);
  return times.sort((one, other) => one - other)[times.length >> 1];
}

function report(name, size, value) {
  console.log(`${NAME}\t${name}\t${size}\t${value.toExponential(3)}`);
}
