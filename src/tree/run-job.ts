import { ioError } from '../bytes/errors.js'
import { runCompaction } from './compaction-job.js'
import { runFlush } from './flush-job.js'
import { EMPTY_RESULT, type Job, type JobContext, type RemovalJob, type RunningJob } from './job.js'

/** Starts a job, wherever this is called. Nothing happens before the first `next`. */
export function runJob(context: JobContext, job: Job): RunningJob {
  switch (job.kind) {
    case 'flush':
      return runFlush(context, job)
    case 'compaction':
      return runCompaction(context, job)
    case 'removal':
      return runRemoval(context, job)
  }
}

/** A file that is gone already was removed by an attempt before this one. */
function* runRemoval(context: JobContext, job: RemovalJob): RunningJob {
  for (const path of job.paths) {
    try {
      context.fs.removeSync(path)
    } catch (error) {
      if ((error as { code?: string }).code !== 'ENOENT') throw ioError(error, 'remove', path)
    }
    yield
  }
  return EMPTY_RESULT
}
