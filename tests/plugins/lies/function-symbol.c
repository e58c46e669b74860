/* mu_plugin is a function. */
void mu_plugin(void);

void mu_plugin(void)
{
}
