/** docs/errors.md and the sources: every code that is explained is raised, and every code that is raised is explained. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { programs } from "../../docs/reference/errors/page.ts";
import { program as root } from "../support/project.ts";

/** Folders that raise the codes of a program, and folders in them that are another program's. */
const sources: Readonly<Record<string, { readonly of: readonly string[]; readonly without?: string }>> = {
  Plugin: { of: ["provider"] },
  "Kubernetes client": { of: ["kubernetes"] },
  "Auth configs": { of: ["gateways"] },
  Verifier: { of: ["verifier"], without: "verifier/client" },
  "Refused requests": { of: ["verifier"], without: "verifier/client" },
  "Client of the verifier": { of: ["verifier/client"] },
  "Sandbox and command": { of: ["sandbox", "cli"] },
};

const folders = ["provider", "kubernetes", "gateways", "verifier", "sandbox", "cli", "components", "stack", "demo"];

interface Literal {
  readonly file: string;
  readonly text: string;
  readonly node: ts.Node;
}

const literals: readonly Literal[] = folders.flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.includes("node_modules"))
    .flatMap((name) => literalsOf(join(folder, name))),
);

function literalsOf(file: string): Literal[] {
  const source = ts.createSourceFile(file, readFileSync(join(root, file), "utf8"), ts.ScriptTarget.Latest, true);
  const found: Literal[] = [];
  const visit = (node: ts.Node) => {
    if (ts.isStringLiteralLike(node)) found.push({ file, text: node.text, node });
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** The outermost expression that can have the literal as its value: conditions, defaults and type assertions around it included. */
function expressionOf(node: ts.Node): ts.Node {
  const { parent } = node;
  const passes =
    (ts.isConditionalExpression(parent) && parent.condition !== node) ||
    (ts.isBinaryExpression(parent) && parent.operatorToken.kind === ts.SyntaxKind.QuestionQuestionToken) ||
    ts.isParenthesizedExpression(parent) ||
    ts.isSatisfiesExpression(parent) ||
    ts.isAsExpression(parent);
  return passes ? expressionOf(parent) : node;
}

/** Whether a literal asks for a code instead of raising it: a type, a comparison, a list, or an argument of `is…` and `includes`. */
function asks({ node }: Literal): boolean {
  const value = expressionOf(node);
  const { parent } = value;
  if (ts.isLiteralTypeNode(parent) || ts.isBinaryExpression(parent) || ts.isArrayLiteralExpression(parent)) return true;
  return ts.isCallExpression(parent) && /(^|\.)(is[A-Z]\w*|includes)$/.test(parent.expression.getText());
}

/** Whether a literal is where a code stands: the first argument of an error's constructor, or a property `code` or `error`. */
function isCode({ node }: Literal): boolean {
  const value = expressionOf(node);
  const { parent } = value;
  if (ts.isNewExpression(parent)) return /Error$/.test(parent.expression.getText()) && parent.arguments?.[0] === value;
  const isProperty = ts.isPropertyAssignment(parent) || ts.isPropertyDeclaration(parent);
  return isProperty && parent.initializer === value && ["code", "error"].includes(parent.name.getText());
}

describe.each(programs)("$title", ({ title, errors }) => {
  const { of, without } = sources[title] ?? { of: [] };
  const inFolder = (file: string, folder: string | undefined) => folder !== undefined && file.startsWith(`${folder}/`);
  const raised = new Set(
    literals
      .filter(({ file }) => of.some((folder) => inFolder(file, folder)) && !inFolder(file, without))
      .filter((literal) => !asks(literal))
      .map(({ text }) => text),
  );
  test("every code is raised", () => {
    expect(Object.keys(errors).filter((code) => !raised.has(code))).toEqual([]);
  });
  test("every text is a sentence", () => {
    const texts = Object.entries(errors).flatMap(([code, { meaning, remedy }]) => [
      [code, meaning],
      [code, remedy],
    ]);
    expect(texts.filter(([, text = ""]) => !/^[A-Z`].*[.”]$/.test(text))).toEqual([]);
  });
});

test("every code that is raised is explained", () => {
  const explained = new Set(programs.flatMap(({ errors }) => Object.keys(errors)));
  // Codes that begin with E are those of Node.js.
  const codes = literals.filter((literal) => isCode(literal) && /^(?!E)[A-Z]+(_[A-Z]+)*$/.test(literal.text));
  expect(codes.length).toBeGreaterThan(150);
  expect(codes.filter(({ text }) => !explained.has(text)).map(({ file, text }) => `${file}: ${text}`)).toEqual([]);
});
