import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errorCode } from './system-error.js'

/*
 * A listening local socket: the one thing that Node can hold which the kernel gives back on every death, SIGKILL and out-of-memory
 * included. Node has no `flock`. Whoever gets the socket of a directory knows that no holder that had it lives.
 *
 * - Linux: an abstract socket, a name in the kernel without a file. The name fills the whole of `sun_path`, because Node 20 pads
 *   shorter ones with zeros and later versions do not, and they would not meet. Names belong to a network namespace, and any
 *   local user may take one: that delays whoever makes a store, and refuses nobody.
 * - Windows: a named pipe, which goes with its process too.
 * - elsewhere: a socket file, which outlives its process. Nobody answers at a dead one, so it is removed and made anew; two
 *   processes that do that at the same moment may both succeed, which is what the file with the holder's name is for.
 */

const SUN_PATH_BYTES = 108

// Taken, and whoever holds it answers or does not have to.
const TAKEN = 'EADDRINUSE'

export type SocketOutcome = Server | 'taken' | 'impossible'

/** Takes the socket of this name. 'impossible' where the system, a sandbox or the runtime has none. */
export async function takeSocket(name: string): Promise<SocketOutcome> {
  const path = socketPath(name)
  let outcome = await listen(path)
  if (outcome === 'taken' && isFile(path) && !(await answers(path))) {
    rmSync(path, { force: true })
    outcome = await listen(path)
  }
  return outcome
}

export function releaseSocket(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}

function socketPath(name: string): string {
  if (process.platform === 'linux') return `\0siltstone-${name}`.padEnd(SUN_PATH_BYTES, '.')
  const short = createHash('sha256').update(name).digest('hex').slice(0, 24)
  return process.platform === 'win32' ? `\\\\.\\pipe\\siltstone-${short}` : join(tmpdir(), `siltstone-${short}.lock`)
}

function isFile(path: string): boolean {
  return process.platform !== 'win32' && !path.startsWith('\0')
}

function listen(path: string): Promise<SocketOutcome> {
  return new Promise((resolve) => {
    const server = createServer((connection) => connection.destroy())
    server.once('error', (error) => resolve(errorCode(error) === TAKEN ? 'taken' : 'impossible'))
    // In a cluster the primary would listen for its workers, and let all of them have the same socket.
    server.listen({ path, exclusive: true }, () => {
      server.unref()
      resolve(server)
    })
  })
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(path)
    connection.once('connect', () => {
      connection.destroy()
      resolve(true)
    })
    connection.once('error', (error) => {
      const code = errorCode(error)
      resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT')
    })
  })
}
