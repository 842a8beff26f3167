import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative, sep } from 'node:path'
import ts from 'typescript'

/** One file importing another, both as paths from the root of the repository, separated by '/'. */
export interface Import {
  readonly from: string
  readonly to: string
}

/** What is wrong with an import, in a sentence. */
export type Finding = string

const FLOORS: Record<string, number> = {
  'src/bytes': 0,
  'src/fs': 1,
  'src/log': 2,
  'src/memtable': 3,
  'src/table': 3,
  'src/tree': 4,
  'src/store': 5,
  'src/queue': 6,
  'src/shard': 7,
  'src/faces': 7,
  tools: 9,
  bench: 10,
}

/** The files directly in `src/`: they only pass on what the floors below them have. */
const DOORS = { folder: 'src', floor: 8 }

interface Room {
  readonly folder: string
  readonly floor: number
}

function roomOf(file: string): Room | undefined {
  const steps = file.split('/')
  if (steps[0] === DOORS.folder && steps.length === 2) return DOORS
  const folder = steps.slice(0, steps[0] === 'src' ? 2 : 1).join('/')
  const floor = FLOORS[folder]
  return floor === undefined ? undefined : { folder, floor }
}

/** Imports that go up, or across to another folder on the same floor. Type-only ones count. */
export function upwardImports(imports: readonly Import[]): Finding[] {
  const findings: Finding[] = []
  for (const { from, to } of imports) {
    const source = roomOf(from)
    const target = roomOf(to)
    if (source === undefined) findings.push(`${from} is in a folder without a floor`)
    else if (target === undefined) findings.push(`${from} imports ${to}, which is in a folder without a floor`)
    else if (source.folder !== target.folder && target.floor >= source.floor) {
      findings.push(`${from} (floor ${source.floor}) imports ${to} (floor ${target.floor})`)
    }
  }
  return findings
}

/** Each circle that files form by importing each other, types included, by the first path through it. */
export function circles(imports: readonly Import[]): Finding[] {
  const targets = new Map<string, string[]>()
  for (const { from, to } of imports) targets.set(from, [...(targets.get(from) ?? []), to])
  const findings: Finding[] = []
  const done = new Set<string>()
  const trail: string[] = []
  const visit = (file: string): void => {
    const start = trail.indexOf(file)
    if (start >= 0) findings.push([...trail.slice(start), file].join(' -> '))
    if (start >= 0 || done.has(file)) return
    trail.push(file)
    for (const target of targets.get(file) ?? []) visit(target)
    trail.pop()
    done.add(file)
  }
  for (const file of targets.keys()) visit(file)
  return findings
}

/** Every import in the folders of a repository. */
export function importsBelow(root: string, folders: readonly string[]): Import[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.(ts|mjs)$/.test(entry.name))
      .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
      .flatMap((file) => importsOf(file, readFileSync(join(root, file), 'utf8'))),
  )
}

/** The project's own files that a source text imports, re-exports, takes types from or loads as a worker. */
export function importsOf(file: string, text: string): Import[] {
  const imports: Import[] = []
  const add = (target: ts.Node | undefined): void => {
    if (target === undefined || !ts.isStringLiteralLike(target) || !/^\.\.?\/.*\.m?js$/.test(target.text)) return
    const path = normalize(join(dirname(file), target.text))
    // Worker threads are started from what was compiled; it stands for its source.
    const to = path
      .split(sep)
      .join('/')
      .replace(/^dist\//, '')
      .replace(/\.js$/, '.ts')
    imports.push({ from: file, to })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node.moduleSpecifier)
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) add(node.arguments[0])
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal)
    else if (ts.isNewExpression(node) && node.expression.getText() === 'URL') add(node.arguments?.[0])
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true))
  return imports
}
