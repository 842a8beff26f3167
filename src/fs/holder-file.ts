import * as fs from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { type Holder, isKnownAlive, parseHolder, thisProcess } from './holder.js'
import { errorCode } from './system-error.js'

// A holder creates its file and fills it in one go, some 50 us apart. What is still not readable after this is a wreck.
const FILLING_MS = 100

/**
 * A file that exists while its directory is held, and says by whom. Whoever finds the file of a dead process takes its place.
 */
export class HolderFile {
  readonly #path: string
  readonly #text: string

  private constructor(path: string, text: string) {
    this.#path = path
    this.#text = text
  }

  /** The claim, or the living holder that stands in its way. */
  static async claim(path: string): Promise<HolderFile | Holder> {
    const self = thisProcess()
    const text = `${JSON.stringify(self)}\n`
    while (!createWith(path, text)) {
      const found = await readFilled(path)
      if (found === undefined) continue
      const holder = parseHolder(found)
      if (holder !== undefined && isKnownAlive(holder, self)) return holder
      bury(path, found)
    }
    return new HolderFile(path, text)
  }

  /** The living process that a file names. */
  static holder(path: string): Holder | undefined {
    const holder = parseHolder(readIfThere(path) ?? '')
    return holder !== undefined && isKnownAlive(holder, thisProcess()) ? holder : undefined
  }

  release(): void {
    // Somebody may have removed the whole directory meanwhile, and made it again.
    if (readIfThere(this.#path) === this.#text) removeIfThere(this.#path)
  }
}

function createWith(path: string, text: string): boolean {
  let descriptor: number
  try {
    descriptor = fs.openSync(path, 'wx')
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false
    throw error
  }
  try {
    fs.writeSync(descriptor, text)
  } catch (error) {
    removeIfThere(path)
    throw error
  } finally {
    fs.closeSync(descriptor)
  }
  return true
}

async function readFilled(path: string): Promise<string | undefined> {
  const text = readIfThere(path)
  if (text === undefined || parseHolder(text) !== undefined) return text
  await delay(FILLING_MS)
  return readIfThere(path)
}

/**
 * Removes a dead holder's file. Between reading and removing it another process may have done the same and put its own there,
 * so the file is first moved aside, where it can be looked at once more: a living one is moved back.
 */
function bury(path: string, dead: string): void {
  const grave = `${path}.${process.pid}`
  try {
    fs.renameSync(path, grave)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return
    throw error
  }
  if (readIfThere(grave) === dead) fs.unlinkSync(grave)
  else fs.renameSync(grave, path)
}

function readIfThere(path: string): string | undefined {
  try {
    return fs.readFileSync(path, 'utf8')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

function removeIfThere(path: string): void {
  fs.rmSync(path, { force: true })
}
