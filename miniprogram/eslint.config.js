import vue from "eslint-plugin-vue";
import typescript from "typescript-eslint";

// WeChat's runtime has none of these, or not all of them: what needs them stands in src/platform, for the browser alone.
const BROWSERS_ONLY = [
  "window",
  "document",
  "navigator",
  "location",
  "localStorage",
  "fetch",
  "XMLHttpRequest",
  "URL",
  "URLSearchParams",
  "TextEncoder",
  "TextDecoder",
  "Intl",
  "crypto",
  "btoa",
  "atob",
  "structuredClone",
  "alert",
];

export default typescript.config(
  { ignores: ["dist/", "node_modules/", "src/api/schema.d.ts"] },
  ...typescript.configs.recommended,
  ...vue.configs["flat/essential"],
  {
    files: ["**/*.vue"],
    languageOptions: { parserOptions: { parser: typescript.parser } },
    rules: { "vue/multi-word-component-names": "off", "vue/no-v-html": "error" },
  },
  {
    files: ["src/**/*.ts", "src/**/*.vue"],
    ignores: ["src/**/*.test.ts", "src/platform/**"],
    rules: {
      // A log is read by whoever holds the phone, and by the platform.
      "no-console": "error",
      "no-restricted-globals": ["error", ...BROWSERS_ONLY],
      // The phone's zone is not Shanghai's.
      "no-restricted-properties": [
        "error",
        ...[
          "toLocaleString",
          "toLocaleDateString",
          "toLocaleTimeString",
          "getHours",
          "getDate",
          "getDay",
        ].map((property) => ({ property, message: "Shows the phone's zone: use src/domain/instants.ts." })),
      ],
    },
  },
  {
    files: ["src/**/*.ts"],
    ignores: ["src/**/*.test.ts"],
    languageOptions: { parserOptions: { project: "./tsconfig.json", tsconfigRootDir: import.meta.dirname } },
    rules: {
      // A promise that nobody waits for fails where nobody sees it.
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
    },
  },
);
