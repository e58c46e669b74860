/* mu_plugin is there, but is no struct mu_plugin. */
extern const char mu_plugin[3];
const char mu_plugin[3] = { 1, 0, 0 };
