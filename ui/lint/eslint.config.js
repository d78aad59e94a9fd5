import js from "@eslint/js";
import { defineConfig } from "eslint/config";
import a11y from "eslint-plugin-jsx-a11y";
import hooks from "eslint-plugin-react-hooks";
import ts from "typescript-eslint";

/** Keys are heard where they bubble to; what is pressed has to be a button or a link. */
const PRESSES = { handlers: ["onClick", "onMouseDown", "onMouseUp"] };

/**
 * What can only be seen by types: promises that nobody waits for, and cases that nobody thought of. `no-misused-promises` is none of them:
 * it looks at the types of every argument, and alone takes half as long again as all the others.
 */
const BY_TYPES = {
  "@typescript-eslint/await-thenable": "error",
  "@typescript-eslint/no-floating-promises": "error",
  "@typescript-eslint/switch-exhaustiveness-check": "error",
};

/** What the type checker does not hold: the rules of hooks, markup that shuts people out, what is an error in any JavaScript. */
export default defineConfig([
  { ignores: ["**/node_modules/", "src/generated/", "lint/"] },
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  {
    files: ["**/*.{ts,tsx}"],
    extends: [js.configs.recommended, ts.configs.recommended],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      ...BY_TYPES,
      eqeqeq: ["error", "always", { null: "ignore" }],
      // The type checker tells of what is unused.
      "@typescript-eslint/no-unused-vars": "off",
    },
  },
  {
    files: ["src/**/*.{ts,tsx}"],
    extends: [a11y.flatConfigs.recommended],
    plugins: { "react-hooks": hooks },
    rules: {
      "react-hooks/rules-of-hooks": "error",
      "react-hooks/exhaustive-deps": "error",
      // Of our own components, those of pages and dialogs that begin at a field: components/ui/first-focus.ts tells which.
      "jsx-a11y/no-autofocus": ["error", { ignoreNonDOM: true }],
      "jsx-a11y/no-noninteractive-element-interactions": ["error", PRESSES],
      // What scrolls must be reached by keyboard, as axe asks for in the journeys.
      "jsx-a11y/no-noninteractive-tabindex": "off",
      "jsx-a11y/no-static-element-interactions": ["error", PRESSES],
    },
  },
]);
