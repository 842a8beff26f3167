// A thread that gets the image of a memtable and says what it reads there. Runs on what was compiled.
import { parentPort, workerData } from 'node:worker_threads'
import { Memtable } from '../../dist/src/memtable/memtable.js'

const memtable = Memtable.fromImage(workerData)
const lines = []
const cursor = memtable.cursorOverAll()
const text = (bytes, start, end) => Buffer.from(bytes.slice(start, end)).toString('latin1')
for (cursor.seekToFirst(); cursor.valid; cursor.next()) {
  const key = text(cursor.keyBytes, cursor.keyStart, cursor.keyEnd)
  lines.push(`${key}@${cursor.position}=${text(cursor.valueBytes, cursor.valueStart, cursor.valueEnd)}`)
}
parentPort.postMessage({ lines, isShared: memtable.bytes.buffer instanceof SharedArrayBuffer })
