import { setPriority } from 'node:os'
import { receiveMessageOnPort, workerData } from 'node:worker_threads'
import { loadHash } from '../bytes/hash.js'
import { ownThread, ThreadSignals } from '../bytes/thread-signals.js'
import { withDescriptors } from '../fs/descriptors.js'
import { DEFAULT_PERMISSIONS, diskWith } from '../fs/disk-file-system.js'
import { JobQueue } from './job-queue.js'
import { WORKER_NICENESS } from './tuning.js'
import type { FromWorker, ToWorker, WorkerStart } from './worker-protocol.js'

/*
 * The worker thread of a store: it runs what it is sent and answers with the outcome. Between two slices it looks into its
 * port, so that a flush does not wait for a compaction, and a job can be stopped.
 *
 * Its name is one that a program has no file of: beside a bundle it is found by it alone.
 */

const { port, signals: cells, directory, layout, fileNumbers, permissions } = workerData as WorkerStart
const signals = new ThreadSignals(cells)
const fs = withDescriptors(diskWith(permissions ?? DEFAULT_PERMISSIONS))
const queue = new JobQueue({ fs, directory, layout, fileNumbers })

function send(outcome: FromWorker | undefined): void {
  if (outcome === undefined) return
  port.postMessage(outcome)
  signals.tell()
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
  const thread = ownThread()
  if (thread === 0) return
  try {
    setPriority(thread, WORKER_NICENESS)
  } catch {
    // Where it is forbidden the system shares out time as it likes.
  }
}

async function begin(): Promise<void> {
  stepBack()
  await loadHash()
  signals.begin()
  port.on('message', (message: ToWorker) => {
    receive(message)
    while (!queue.isEmpty) {
      send(queue.runSlice())
      signals.beat()
      receiveAll()
    }
  })
}

// Not awaited here: as a file of CommonJS, which a bundler may make of this, it could not be.
void begin()
