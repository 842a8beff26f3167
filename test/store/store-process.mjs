// A process with a store of its own, to write beside a reader and to hold a lock. One call a line on stdin, as JSON:
// { method, args }; one answer a line on stdout: { result } or { code, message, pid }.
import { createInterface } from 'node:readline'
import { destroy, open } from '../../dist/src/index.js'

let db

const methods = {
  open: async (...args) => {
    db = await open(...args)
  },
  openFaster: async (path, times) => {
    const clock = {
      now: () => Date.now(),
      monotonic: () => performance.now() * times,
      after: (delay, callback) => {
        const timer = setTimeout(callback, delay / times).unref()
        return () => clearTimeout(timer)
      },
    }
    db = await open(path, { clock })
  },
  destroy,
  fill: (count, value) => {
    for (let i = 0; i < count; i++) db.putSync(`key ${String(i).padStart(6, '0')}`, value)
  },
}

async function answer({ method, args }) {
  try {
    const result = await (methods[method] ?? db[method].bind(db))(...args)
    return { result }
  } catch ({ code, message, pid }) {
    return { code, message, pid }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`)
}
