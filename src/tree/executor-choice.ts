import type { Clock } from '../bytes/clock.js'
import { publish } from '../bytes/diagnostics.js'
import { fileBeside } from '../bytes/file-beside.js'
import type { Executor } from './executor.js'
import { InlineExecutor } from './inline-executor.js'
import type { JobContext } from './job.js'
import { WorkerExecutor } from './worker-executor.js'

/** What the worker of a store is called, beside this code or beside the bundle that this code became part of. */
const WORKER_FILE = 'siltstone-worker.js'

/** Where the jobs of a store run: as was asked for, but on this thread where no worker can be started. */
export function executorFor(
  asked: 'worker' | 'inline',
  context: JobContext,
  clock: Clock,
  onLitter: () => void,
): Executor {
  const { fs, directory } = context
  if (asked === 'inline' || !fs.reachableFromWorkers) return new InlineExecutor(context)
  const file = fileBeside(WORKER_FILE, import.meta.url)
  if (file !== undefined) return new WorkerExecutor(file, context, clock, onLitter)
  const reason = `${WORKER_FILE} is not beside the code of the store`
  publish('siltstone:worker', () => ({ directory, problem: 'missing', reason }))
  return new InlineExecutor(context)
}
