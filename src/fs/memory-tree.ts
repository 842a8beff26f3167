import { posix } from 'node:path'
import { MemoryFile } from './memory-file.js'
import { systemError } from './system-error.js'

/** Names and what they stand for. */
export class MemoryDirectory {
  readonly entries = new Map<string, MemoryNode>()
  modifiedAt: number

  constructor(modifiedAt: number) {
    this.modifiedAt = modifiedAt
  }
}

export type MemoryNode = MemoryFile | MemoryDirectory

/** A name and the directory it is in, whether or not something has that name. */
export interface Place {
  readonly directory: MemoryDirectory
  readonly name: string
}

/**
 * A tree of directories without a disk, and the changes that its names can undergo. Refuses what POSIX refuses, with the same
 * codes, because the code above is tested against it.
 */
export class MemoryTree {
  readonly root: MemoryDirectory
  readonly #now: () => number

  constructor(now: () => number, root = new MemoryDirectory(now())) {
    this.#now = now
    this.root = root
  }

  /** What has this name; ENOTDIR where the way leads through a file. */
  find(path: string, syscall: string): MemoryNode | undefined {
    let node: MemoryNode | undefined = this.root
    for (const name of namesOf(path)) {
      if (node instanceof MemoryFile) throw systemError('ENOTDIR', syscall, path)
      node = node?.entries.get(name)
    }
    return node
  }

  /** Where this name would be; its directory has to be there. `from` is the other name of a call that takes two. */
  place(path: string, syscall: string, from?: string): Place {
    const refuse = (code: string): Error =>
      from === undefined ? systemError(code, syscall, path) : systemError(code, syscall, from, path)
    const names = namesOf(path)
    const name = names.pop()
    if (name === undefined) throw refuse('EBUSY')
    let directory = this.root
    for (const step of names) {
      const node = directory.entries.get(step)
      if (node === undefined) throw refuse('ENOENT')
      if (node instanceof MemoryFile) throw refuse('ENOTDIR')
      directory = node
    }
    return { directory, name }
  }

  file(path: string, syscall: string): MemoryFile {
    const node = this.find(path, syscall)
    if (node === undefined) throw systemError('ENOENT', syscall, path)
    if (node instanceof MemoryDirectory) throw systemError('EISDIR', syscall, path)
    return node
  }

  directory(path: string, syscall: string): MemoryDirectory {
    const node = this.find(path, syscall)
    if (node === undefined) throw systemError('ENOENT', syscall, path)
    if (node instanceof MemoryFile) throw systemError('ENOTDIR', syscall, path)
    return node
  }

  createFile(path: string): MemoryFile {
    const { directory, name } = this.place(path, 'open')
    if (directory.entries.has(name)) throw systemError('EEXIST', 'open', path)
    const file = new MemoryFile(this.#now())
    this.#set(directory, name, file)
    return file
  }

  makeDirectory(path: string): void {
    let directory = this.root
    const names = namesOf(path)
    for (const [depth, name] of names.entries()) {
      let node = directory.entries.get(name)
      if (node instanceof MemoryFile) {
        throw systemError(depth === names.length - 1 ? 'EEXIST' : 'ENOTDIR', 'mkdir', path)
      }
      if (node === undefined) this.#set(directory, name, (node = new MemoryDirectory(this.#now())))
      directory = node
    }
  }

  remove(path: string): void {
    this.file(path, 'unlink')
    const { directory, name } = this.place(path, 'unlink')
    this.#drop(directory, name)
  }

  removeDirectory(path: string): void {
    const removed = this.directory(path, 'rmdir')
    const { directory, name } = this.place(path, 'rmdir')
    if (removed.entries.size > 0) throw systemError('ENOTEMPTY', 'rmdir', path)
    this.#drop(directory, name)
  }

  rename(from: string, to: string): void {
    const moved = this.find(from, 'rename')
    if (moved === undefined) throw systemError('ENOENT', 'rename', from, to)
    const source = this.place(from, 'rename')
    const target = this.place(to, 'rename', from)
    const replaced = target.directory.entries.get(target.name)
    if (replaced === moved) return
    if (moved instanceof MemoryDirectory) {
      if (`${posix.resolve('/', to)}/`.startsWith(`${posix.resolve('/', from)}/`)) {
        throw systemError('EINVAL', 'rename', from, to)
      }
      if (replaced instanceof MemoryFile) throw systemError('ENOTDIR', 'rename', from, to)
      if (replaced !== undefined && replaced.entries.size > 0) throw systemError('ENOTEMPTY', 'rename', from, to)
    } else if (replaced instanceof MemoryDirectory) {
      throw systemError('EISDIR', 'rename', from, to)
    }
    this.#drop(source.directory, source.name)
    this.#set(target.directory, target.name, moved)
  }

  link(from: string, to: string): void {
    const node = this.find(from, 'link')
    if (node === undefined) throw systemError('ENOENT', 'link', from, to)
    if (node instanceof MemoryDirectory) throw systemError('EPERM', 'link', from, to)
    const { directory, name } = this.place(to, 'link', from)
    if (directory.entries.has(name)) throw systemError('EEXIST', 'link', from, to)
    this.#set(directory, name, node)
  }

  #set(directory: MemoryDirectory, name: string, node: MemoryNode): void {
    directory.entries.set(name, node)
    directory.modifiedAt = this.#now()
  }

  #drop(directory: MemoryDirectory, name: string): void {
    directory.entries.delete(name)
    directory.modifiedAt = this.#now()
  }
}

/** The steps from the root; a relative path starts there too, because there is no other working directory. */
function namesOf(path: string): string[] {
  return posix
    .resolve('/', path)
    .split('/')
    .filter((name) => name !== '')
}
