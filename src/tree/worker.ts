import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'
import { receiveMessageOnPort, workerData } from 'node:worker_threads'
import { loadHash } from '../bytes/hash.js'
import { withDescriptors } from '../fs/descriptors.js'
import { diskFileSystem } from '../fs/disk-file-system.js'
import { JobQueue } from './job-queue.js'
import { WORKER_NICENESS } from './tuning.js'
import { type FromWorker, SENT, SLICES, type ToWorker, type WorkerStart } from './worker-protocol.js'

/*
 * The worker thread of a store: it runs what it is sent and answers with the outcome. Between two slices it looks into its
 * port, so that a flush does not wait for a compaction, and a job can be stopped.
 */

const { port, signals, directory, layout, fileNumbers } = workerData as WorkerStart
const queue = new JobQueue({ fs: withDescriptors(diskFileSystem), directory, layout, fileNumbers })

function send(outcome: FromWorker | undefined): void {
  if (outcome === undefined) return
  port.postMessage(outcome)
  Atomics.add(signals, SENT, 1)
  Atomics.notify(signals, SENT)
}

function receive(message: ToWorker): void {
  if (message.type === 'job') queue.add(message.job)
  else if (message.type === 'abort') send(queue.abort(message.id))
  else {
    queue.abortAll()
    port.close()
  }
}

function receiveAll(): void {
  for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
    receive(next.message as ToWorker)
  }
}

/**
 * Where there are fewer processors than threads, the one that answers people goes first. On Linux niceness belongs to a thread; where
 * it belongs to the process it stays as it is.
 */
function stepBack(): void {
  if (process.platform !== 'linux') return
  try {
    setPriority(Number(readlinkSync('/proc/thread-self').split('/').at(-1)), WORKER_NICENESS)
  } catch {
    // Without /proc, or where it is forbidden, the system shares out time as it likes.
  }
}

stepBack()
await loadHash()
port.on('message', (message: ToWorker) => {
  receive(message)
  while (!queue.isEmpty) {
    send(queue.runSlice())
    Atomics.add(signals, SLICES, 1)
    receiveAll()
  }
})
