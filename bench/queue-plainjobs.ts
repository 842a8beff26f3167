import { join } from 'node:path'
import { arePackagesInstalled, installPackages } from './peers/installation.js'
import { loadPackage, packageVersion } from './peers/package.js'

/*
 * plainjobs on better-sqlite3: a job queue in one table of SQLite, beside which bench/queue.ts measures. Everything of it is synchronous,
 * and a worker polls. It has no batches of its own: `…Singly` is how its users call it. The others put transactions around several calls, which is the
 * best one can do with it.
 */

/** As much of better-sqlite3's interface as is used here. */
interface Sqlite {
  pragma(text: string): unknown
  transaction<T>(run: () => T): () => T
  close(): void
}

/** As much of plainjobs' interface as is used here. */
interface Jobs {
  add(type: string, data: unknown): { id: number }
  getAndMarkJobAsProcessing(type: string): { id: number } | undefined
  markJobAsDone(id: number): void
  close(): void
}

interface JobWorker {
  start(): Promise<void>
  stop(): Promise<void>
}

interface Plainjobs {
  defineQueue(options: { connection: Sqlite; logger: object }): Jobs
  defineWorker(
    type: string,
    run: () => void,
    options: { queue: Jobs; logger: object; pollIntervall: number },
  ): JobWorker
}

const quiet = { error() {}, warn() {}, info() {}, debug() {} }
const TYPE = 'a'

/** Why plainjobs cannot take part; undefined where it can. */
export async function missingPlainjobs(): Promise<string | undefined> {
  if (!arePackagesInstalled()) {
    process.stderr.write('Installing the peers that come as packages (once; compiling them may take a minute) …\n')
    const failure = await installPackages()
    if (failure !== undefined) return failure
  }
  try {
    await loadPackage('plainjobs')
    await loadPackage('better-sqlite3')
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

export function plainjobsVersion(): string {
  return packageVersion('plainjobs')
}

/** A queue of plainjobs in a directory. */
export class PlainjobsQueue {
  private readonly db: Sqlite
  private readonly jobs: Jobs
  private readonly library: Plainjobs
  private readonly data: string

  private constructor(db: Sqlite, library: Plainjobs, data: string) {
    this.db = db
    this.library = library
    this.data = data
    this.jobs = library.defineQueue({ connection: db, logger: quiet })
  }

  static async open(directory: string, data: string): Promise<PlainjobsQueue> {
    const { default: Database } = await loadPackage<{ default: new (path: string) => Sqlite }>('better-sqlite3')
    const library = await loadPackage<Plainjobs & { default?: Plainjobs }>('plainjobs')
    return new PlainjobsQueue(new Database(join(directory, 'jobs.db')), library.default ?? library, data)
  }

  /** Whether what is committed is on disk before the call returns. */
  set synced(isSynced: boolean) {
    this.db.pragma(`synchronous = ${isSynced ? 'FULL' : 'NORMAL'}`)
  }

  add(): void {
    this.jobs.add(TYPE, this.data)
  }

  addSingly(count: number): void {
    for (let i = 0; i < count; i++) this.add()
  }

  /** Takes one, marks it as done, and so on. */
  drainSingly(count: number): void {
    for (let i = 0; i < count; i++) {
      const job = this.jobs.getAndMarkJobAsProcessing(TYPE)
      if (job === undefined) throw new Error(`${count - i} jobs are missing`)
      this.jobs.markJobAsDone(job.id)
    }
  }

  /** So many in each transaction. */
  addAll(count: number, batch: number): void {
    const addBatch = this.db.transaction(() => {
      for (let i = 0; i < batch; i++) this.add()
    })
    for (let added = 0; added < count; added += batch) addBatch()
  }

  /** Takes so many in one transaction, and marks them as done in another. */
  drain(count: number, batch: number): void {
    const take = this.db.transaction(() => {
      const ids: number[] = []
      for (let i = 0; i < batch; i++) {
        const job = this.jobs.getAndMarkJobAsProcessing(TYPE)
        if (job !== undefined) ids.push(job.id)
      }
      return ids
    })
    for (let left = count; left > 0; ) {
      const ids = take()
      if (ids.length === 0) throw new Error(`${left} jobs are missing`)
      left -= ids.length
      this.db.transaction(() => {
        for (const id of ids) this.jobs.markJobAsDone(id)
      })()
    }
  }

  /** Lets a worker run until so many were handled. */
  async consume(count: number, onHandled: () => void = () => {}): Promise<void> {
    let left = count
    let done!: () => void
    const finished = new Promise<void>((resolve) => {
      done = resolve
    })
    const run = (): void => {
      onHandled()
      if (--left === 0) done()
    }
    const worker = this.library.defineWorker(TYPE, run, { queue: this.jobs, logger: quiet, pollIntervall: 1 })
    const running = worker.start()
    await finished
    await worker.stop()
    await running
  }

  close(): void {
    this.jobs.close()
    this.db.close()
  }
}
