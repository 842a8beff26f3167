/*
 * What the process talks to. Results go to standard output; progress, hints and errors to standard error. Colour and progress
 * only where somebody looks: never in a pipe, never with NO_COLOR.
 */

const isPlain = process.env.NO_COLOR !== undefined && process.env.NO_COLOR !== ''

export const hasProgress = process.stderr.isTTY === true && !isPlain

const stopping = new AbortController()

/** Aborted by Ctrl-C, by SIGTERM, and when nobody reads the output any more: loops end, stores are closed in order. */
export const stopSignal: AbortSignal = stopping.signal
export type StopReason = 'interrupted' | 'pipe'

export function stopReason(): StopReason | undefined {
  return stopSignal.aborted ? (stopSignal.reason as StopReason) : undefined
}

/** Begins to listen for reasons to stop. The second Ctrl-C does not wait for anything. */
export function listenForStops(): void {
  const stop = (): void => {
    if (stopSignal.aborted) process.exit(130)
    stopping.abort('interrupted' satisfies StopReason)
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      if (!stopSignal.aborted) stopping.abort('pipe' satisfies StopReason)
    })
  }
}

const CHUNK_BYTES = 64 * 1024
const LINE_FEED = Buffer.from('\n')

/** Standard output, gathered into chunks. Whoever writes much awaits `room()` now and then. */
class Output {
  private parts: Buffer[] = []
  private bytes = 0

  write(bytes: Uint8Array): void {
    this.parts.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    this.bytes += bytes.length
  }

  line(text = ''): void {
    this.write(Buffer.from(`${text}\n`))
  }

  json(value: unknown): void {
    this.line(JSON.stringify(value))
  }

  endLine(): void {
    this.write(LINE_FEED)
  }

  /** Waits until what was written has somewhere to go, if it is much. */
  async room(): Promise<void> {
    if (this.bytes >= CHUNK_BYTES) await this.flush()
  }

  async flush(): Promise<void> {
    const { parts, bytes } = this
    if (bytes === 0) return
    this.parts = []
    this.bytes = 0
    if (stopReason() === 'pipe') return
    await new Promise<void>((resolve) => process.stdout.write(Buffer.concat(parts, bytes), () => resolve()))
  }
}

export const out = new Output()

/** A remark for people, beside the result. */
export function remark(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** Standard input, whole. */
export async function readInput(): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** The lines of standard input, without their ends; the last one needs none. */
export async function* inputLines(): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of process.stdin) {
    rest = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer])
    let from = 0
    for (let at = rest.indexOf(10); at !== -1; at = rest.indexOf(10, from)) {
      yield rest.toString('utf8', from, at)
      from = at + 1
    }
    rest = rest.subarray(from)
  }
  if (rest.length > 0) yield rest.toString()
}
