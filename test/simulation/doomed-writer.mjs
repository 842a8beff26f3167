// A process that writes numbered commits until it is killed. It says on stdout which commits were acknowledged, one number a line,
// and nothing before it is true. Arguments: the directory, the number of the first commit, a number that varies what it does.
import { writeSync } from 'node:fs'
import { open } from '../../dist/src/index.js'
import { commitOf, isSynced } from './numbered-commits.mjs'

const [directory, first, variety] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])]

const PAUSE = new Int32Array(new SharedArrayBuffer(4))

// Synchronous, so that what is said is said even if the next thing that happens is the end. The pipe is full while nobody listens.
function say(text) {
  const line = Buffer.from(`${text}\n`)
  for (let said = 0; said < line.length; ) {
    try {
      said += writeSync(1, line, said)
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error
      Atomics.wait(PAUSE, 0, 0, 1)
    }
  }
}

const db = await open(directory, { writeBufferBytes: 64 * 1024, blockBytes: 1024, cacheBytes: 1024 * 1024 })
db.keyspace('orders', { compaction: 'tiered' })
say('open')
const writers = 1 + (variety % 3)
for (let number = first; ; number += writers) {
  const commits = []
  for (let i = 0; i < writers; i++) {
    const sync = isSynced(number + i)
    if (variety % 5 === 0 && writers === 1) {
      db.batchSync(commitOf(number), { sync })
      say(number)
    } else commits.push(db.batch(commitOf(number + i), { sync }).then(() => say(number + i)))
  }
  await Promise.all(commits)
  if (number % 97 === variety % 97) void db.flush()
  if (number % 401 === variety % 401) void db.compact({ kind: variety % 2 === 0 ? 'major' : 'minor' })
}
