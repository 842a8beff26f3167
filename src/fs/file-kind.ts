import type { FileKind, FileSystem } from './file-system.js'

/** What has a name, links not followed; `undefined` where nothing has it. */
export function kindOf(fs: FileSystem, path: string): FileKind | undefined {
  if (fs.kindSync !== undefined) return fs.kindSync(path)
  const status = fs.statusSync(path)
  return status === undefined ? undefined : status.isDirectory ? 'directory' : 'file'
}
