import { join, relative } from 'node:path'
import ts from 'typescript'
import { DOORS, type Door } from './doors.js'
import { meant, type Wording, Wordings } from './wording.js'

/** What a doc comment says. */
export interface Comment {
  readonly text: string
  readonly examples: readonly string[]
}

/** A method, property or accessor, or the constructor. */
export interface Member {
  readonly name: string
  readonly isStatic: boolean
  readonly isOptional: boolean
  readonly isReadonly: boolean
  /** Of something to call; a property has none. */
  readonly calls: readonly Wording[]
  /** Of a property. */
  readonly type: Wording | undefined
  /** Of a property whose type is written out in place. */
  readonly parts: readonly Member[]
  readonly comment: Comment
}

/** Members that somebody else declares. */
export interface Inheritance {
  /** `undefined` for a type of another package, which is named only. */
  readonly symbol: ts.Symbol | undefined
  readonly name: string
  readonly members: readonly string[]
}

export type Kind = 'function' | 'class' | 'interface' | 'type' | 'constant'

/** One name that can be imported, or that a signature mentions. */
export interface Entry {
  readonly name: string
  readonly symbol: ts.Symbol
  readonly kind: Kind
  /** A class that comes out of other calls, and has no value to import. */
  readonly isTypeOnly: boolean
  /** Below the root. */
  readonly source: string
  readonly comment: Comment
  /** How to call or declare it; nothing for what is told by its members. */
  readonly wordings: readonly Wording[]
  readonly members: readonly Member[]
  readonly inherited: readonly Inheritance[]
}

/** One door with what it exports, and with what those types mention and no door exports. */
export interface Surface {
  readonly door: Door
  readonly comment: Comment
  readonly entries: readonly Entry[]
  readonly mentioned: readonly Entry[]
}

const HIDDEN = ts.ModifierFlags.Private | ts.ModifierFlags.Protected

/** Reads what every door of the package exports, from the sources. */
export function readSurfaces(root: string): Surface[] {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile) as { config: object }
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root, { incremental: false })
  const files = DOORS.map(({ source }) => join(root, source))
  return new SurfaceReader(root, ts.createProgram(files, options)).read()
}

class SurfaceReader {
  private readonly root: string
  private readonly program: ts.Program
  private readonly checker: ts.TypeChecker
  private readonly wordings: Wordings
  /** Every symbol that some door exports. */
  private readonly exported = new Set<ts.Symbol>()

  constructor(root: string, program: ts.Program) {
    this.root = root
    this.program = program
    this.checker = program.getTypeChecker()
    this.wordings = new Wordings(this.checker)
  }

  read(): Surface[] {
    const doors = DOORS.map((door) => {
      const file = this.program.getSourceFile(join(this.root, door.source))!
      const exports = this.checker.getExportsOfModule(this.checker.getSymbolAtLocation(file)!)
      for (const symbol of exports) this.exported.add(meant(this.checker, symbol))
      return { door, file, exports }
    })
    const mentioned = new Set<ts.Symbol>()
    return doors.map(({ door, file, exports }) => {
      const entries = exports.map((symbol) => this.entryOf(symbol))
      return { door, comment: pageComment(file), entries, mentioned: this.mentionedBy(entries, mentioned) }
    })
  }

  /** Types of the sources that entries mention, and those that these mention, each told where it is met first. */
  private mentionedBy(entries: readonly Entry[], met: Set<ts.Symbol>): Entry[] {
    const found: Entry[] = []
    const waiting = [...entries]
    for (let entry = waiting.shift(); entry !== undefined; entry = waiting.shift()) {
      for (const symbol of wordingsOf(entry).flatMap(({ names }) => [...names.values()])) {
        if (met.has(symbol) || this.exported.has(symbol) || !this.isToldOf(symbol)) continue
        met.add(symbol)
        const next = this.entryOf(symbol)
        found.push(next)
        waiting.push(next)
      }
    }
    return found.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  private isToldOf(symbol: ts.Symbol): boolean {
    const [node] = symbol.declarations ?? []
    if (node === undefined || !(ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node))) return false
    return this.isOurs(node) && !isInternal(node)
  }

  private isOurs(node: ts.Node): boolean {
    return node.getSourceFile().fileName.startsWith(join(this.root, 'src/'))
  }

  /** Of TypeScript's or Node's own: everybody knows it. */
  private isOfPlatform(node: ts.Node): boolean {
    const file = node.getSourceFile()
    return this.program.isSourceFileDefaultLibrary(file) || file.fileName.includes('/node_modules/@types/node/')
  }

  private entryOf(exportSymbol: ts.Symbol): Entry {
    const symbol = meant(this.checker, exportSymbol)
    const [node] = symbol.declarations!
    const kind = kindOf(node!)
    return {
      name: exportSymbol.name,
      symbol,
      kind,
      isTypeOnly: exportSymbol.declarations!.some(
        (each) => ts.isExportSpecifier(each) && ts.isTypeOnlyExportDeclaration(each),
      ),
      source: relative(this.root, node!.getSourceFile().fileName),
      comment: this.commentOf(symbol),
      wordings: this.wordingsOf(symbol, kind),
      ...(kind === 'class' || kind === 'interface' ? this.membersOf(symbol) : { members: [], inherited: [] }),
    }
  }

  private wordingsOf(symbol: ts.Symbol, kind: Kind): Wording[] {
    const nodes = symbol.declarations!
    if (kind === 'function') return callsOf(nodes).map((each) => this.wordings.ofCall(symbol.name, each))
    if (kind === 'type') return [this.wordings.ofSource(nodes[0]!)]
    if (kind === 'constant') {
      const { text, names } = this.wordings.ofProperty(symbol, nodes[0]!)
      return [{ text: `const ${symbol.name}: ${text}`, names }]
    }
    return this.headOf(nodes[0] as ts.ClassDeclaration | ts.InterfaceDeclaration, kind)
  }

  /** `class Name<K> extends Parent<K>`; nothing where that would be no more than the name. */
  private headOf(node: ts.ClassDeclaration | ts.InterfaceDeclaration, kind: Kind): Wording[] {
    const names = new Map<string, ts.Symbol>()
    const generics = node.typeParameters?.map((each) => each.getText()) ?? []
    // A parent that nobody can import is no news: its members are told as this one's own.
    const parents = node.heritageClauses?.filter((clause) => this.isTold(clause)) ?? []
    if (generics.length === 0 && parents.length === 0) return []
    const heritage = parents.map((clause) => {
      const word = clause.token === ts.SyntaxKind.ExtendsKeyword ? 'extends' : 'implements'
      const wordings = clause.types.map((type) => this.wordings.ofType(type))
      for (const [name, symbol] of wordings.flatMap((each) => [...each.names])) names.set(name, symbol)
      return ` ${word} ${wordings.map(({ text }) => text).join(', ')}`
    })
    const head = `${kind} ${node.name!.text}${generics.length === 0 ? '' : `<${generics.join(', ')}>`}`
    return [{ text: `${head}${heritage.join('')}`, names }]
  }

  private isTold(clause: ts.HeritageClause): boolean {
    return clause.types.every(({ expression }) => {
      const symbol = this.checker.getSymbolAtLocation(expression)
      const [node] = symbol === undefined ? [] : meant(this.checker, symbol).declarations!
      return node === undefined || !this.isOurs(node) || this.exported.has(meant(this.checker, symbol!))
    })
  }

  private membersOf(symbol: ts.Symbol): { members: Member[]; inherited: Inheritance[] } {
    const isClass = (symbol.flags & ts.SymbolFlags.Class) !== 0
    const members: Member[] = []
    const inherited = new Map<string, { symbol: ts.Symbol | undefined; name: string; members: string[] }>()
    const maker = isClass ? this.constructorOf(symbol) : undefined
    if (maker !== undefined) members.push(maker)
    const statics = isClass ? this.checker.getPropertiesOfType(this.checker.getTypeOfSymbol(symbol)) : []
    const properties = this.checker.getPropertiesOfType(this.checker.getDeclaredTypeOfSymbol(symbol))
    for (const property of [...statics, ...properties]) {
      const [node] = property.declarations ?? []
      if (node === undefined || property.flags & ts.SymbolFlags.Prototype || isHidden(node)) continue
      const owner = this.ownerOf(node)
      const isOwn = owner === symbol || (this.isOurs(node) && (owner === undefined || !this.exported.has(owner)))
      const pattern = isOwn ? this.patternOf(symbol, property) : undefined
      if (isOwn && pattern === undefined) {
        members.push(this.memberOf(property, statics.includes(property)))
        continue
      }
      const isFromOutside = !this.isOurs(node)
      if (isFromOutside && (this.isOfPlatform(node) || isForLanguage(memberName(property)))) continue
      const source = pattern ?? owner
      const name = source?.name ?? 'elsewhere'
      const from = inherited.get(name) ?? { symbol: isFromOutside ? undefined : source, name, members: [] }
      from.members.push(memberName(property))
      inherited.set(name, from)
    }
    return { members, inherited: [...inherited.values()] }
  }

  /** The exported interface that says all there is to say of a member that has no comment of its own. */
  private patternOf(symbol: ts.Symbol, member: ts.Symbol): ts.Symbol | undefined {
    if (member.declarations!.some((node) => ts.getJSDocCommentsAndTags(node).length > 0)) return undefined
    return this.interfacesOf(symbol).find((each) => this.exported.has(each) && each.members?.has(member.escapedName))
  }

  /** What a class implements, by itself or by its parents. */
  private interfacesOf(symbol: ts.Symbol): ts.Symbol[] {
    const clauses = symbol
      .declarations!.filter(ts.isClassDeclaration)
      .flatMap((node) => [...(node.heritageClauses ?? [])])
    return clauses.flatMap(({ token, types }) => {
      const parents = types.map(({ expression }) => meant(this.checker, this.checker.getSymbolAtLocation(expression)!))
      return token === ts.SyntaxKind.ImplementsKeyword ? parents : parents.flatMap((each) => this.interfacesOf(each))
    })
  }

  private ownerOf(node: ts.Node): ts.Symbol | undefined {
    const { parent } = node
    const isNamed = ts.isClassDeclaration(parent) || ts.isInterfaceDeclaration(parent)
    return isNamed && parent.name !== undefined ? this.checker.getSymbolAtLocation(parent.name) : undefined
  }

  private constructorOf(symbol: ts.Symbol): Member | undefined {
    const nodes = symbol.declarations!.filter(ts.isClassDeclaration).flatMap(({ members }) => [...members])
    const constructors = callsOf(nodes.filter(ts.isConstructorDeclaration))
    const [first] = constructors
    if (first === undefined || isHidden(first)) return undefined
    return {
      name: 'constructor',
      isStatic: true,
      isOptional: false,
      isReadonly: false,
      calls: constructors.map((each) => this.wordings.ofCall(`new ${symbol.name}`, each)),
      type: undefined,
      parts: [],
      comment: this.commentOf(
        this.checker.getSymbolAtLocation(first) ?? (first as unknown as { symbol: ts.Symbol }).symbol,
      ),
    }
  }

  private memberOf(symbol: ts.Symbol, isStatic: boolean): Member {
    const nodes = symbol.declarations!
    const [node] = nodes
    const calls = callsOf(nodes.filter((each) => ts.isMethodDeclaration(each) || ts.isMethodSignature(each)))
    const isProperty = calls.length === 0
    const modifiers = ts.getCombinedModifierFlags(node!)
    const isGetter = ts.isGetAccessor(node!) && !nodes.some(ts.isSetAccessor)
    return {
      name: memberName(symbol),
      isStatic,
      isOptional: (symbol.flags & ts.SymbolFlags.Optional) !== 0,
      isReadonly: isGetter || (modifiers & ts.ModifierFlags.Readonly) !== 0,
      calls: calls.map((each) => this.wordings.ofCall(memberName(symbol), each)),
      type: isProperty ? this.wordings.ofProperty(symbol, node!) : undefined,
      parts: isProperty ? this.partsOf(node!) : [],
      comment: this.commentOf(symbol),
    }
  }

  /** The members of a type that is written out in place, and on more than one line. */
  private partsOf(node: ts.Declaration): Member[] {
    const { type } = node as { type?: ts.TypeNode }
    if (type === undefined || !ts.isTypeLiteralNode(type) || !type.getText().includes('\n')) return []
    const symbols = this.checker.getPropertiesOfType(this.checker.getTypeAtLocation(type))
    return symbols.map((symbol) => this.memberOf(symbol, false))
  }

  private commentOf(symbol: ts.Symbol): Comment {
    const text = ts.displayPartsToString(symbol.getDocumentationComment(this.checker)).trim()
    // What says something itself does not show what its parent shows.
    const isSaid = symbol.declarations!.some((node) => ts.getJSDocCommentsAndTags(node).length > 0)
    const own = symbol
      .declarations!.flatMap((node) => ts.getJSDocTags(node))
      .map(({ tagName, comment }) => ({
        name: tagName.text,
        text: ts.getTextOfJSDocComment(comment) ?? '',
      }))
    const inherited = symbol
      .getJsDocTags(this.checker)
      .map(({ name, text }) => ({ name, text: ts.displayPartsToString(text) }))
    const examples = (isSaid ? own : inherited).filter(({ name }) => name === 'example').map(({ text }) => text.trim())
    return { text, examples }
  }
}

/** Whether it is the language that calls a member: in loops, and where a scope ends. */
export function isForLanguage(name: string): boolean {
  return name.startsWith('[')
}

/** Every wording of an entry, its members' included. */
export function wordingsOf(entry: Entry): Wording[] {
  const ofMember = ({ calls, type, parts }: Member): Wording[] => [
    ...calls,
    ...(type === undefined ? [] : [type]),
    ...parts.flatMap(ofMember),
  ]
  return [...entry.wordings, ...entry.members.flatMap(ofMember)]
}

function kindOf(node: ts.Declaration): Kind {
  if (ts.isFunctionDeclaration(node)) return 'function'
  if (ts.isClassDeclaration(node)) return 'class'
  if (ts.isInterfaceDeclaration(node)) return 'interface'
  if (ts.isTypeAliasDeclaration(node)) return 'type'
  if (ts.isVariableDeclaration(node)) return 'constant'
  throw new Error(`The reference has no words for a ${ts.SyntaxKind[node.kind]}`)
}

/** Overloads where there are some, and else the one that there is. */
function callsOf(nodes: readonly ts.Declaration[]): ts.SignatureDeclaration[] {
  const calls = nodes as readonly (ts.SignatureDeclaration & { body?: ts.Node })[]
  const overloads = calls.filter(({ body }) => body === undefined)
  return overloads.length > 0 ? overloads : [...calls]
}

/** `[Symbol.asyncIterator]` stands in the symbol with a name of the compiler's own. */
function memberName(symbol: ts.Symbol): string {
  return ts.getNameOfDeclaration(symbol.declarations![0])?.getText() ?? symbol.name
}

function isHidden(node: ts.Declaration): boolean {
  if (ts.getCombinedModifierFlags(node) & HIDDEN || isInternal(node)) return true
  const name = ts.getNameOfDeclaration(node)
  return name !== undefined && ts.isPrivateIdentifier(name)
}

function isInternal(node: ts.Node): boolean {
  return ts.getJSDocTags(node).some(({ tagName }) => tagName.text === 'internal')
}

/** The comment that stands at the head of a file and says so. */
function pageComment(file: ts.SourceFile): Comment {
  const comment = /^\/\*\*\n([\s\S]*?) \*\//.exec(file.text)?.[1] ?? ''
  const text = comment
    .replace(/^ \* ?/gm, '')
    .replace('@packageDocumentation', '')
    .trim()
  return { text, examples: [] }
}
